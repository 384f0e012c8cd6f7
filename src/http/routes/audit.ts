/** The auditor's pull of events (audit-log 3.11). Reading them is for auditors, and recorded. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import { auditTreeRoot } from '../../flows/audit/tree/audit-tree-root.ts';
import { pullAudit, type AuditPage } from '../../flows/audit/pulls/pull-audit.ts';
import { pullAuditTile } from '../../flows/audit/pulls/pull-audit-tile.ts';
import { nextLink } from '../listing.ts';
import { route, type Reply, type Route } from '../route.ts';
import { WHOLE_NUMBER } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';
import { auditProofRoutes } from './audit-proofs.ts';

const READERS = ['auditor', 'audit-administrator'] as const;
const EVENTS_PATH = '/api/v1/audit/events';
const TILE_PATH = '/api/v1/audit/tile';
const DEFAULT_LIMIT = 1_000;
/** A tile of a given name never changes; what it holds is for its reader alone. */
const TILE_CACHE = 'private, max-age=31536000, immutable';

const EVENTS_QUERY = z.strictObject({
  from: WHOLE_NUMBER.optional().describe('index of the first event wanted; 0 unless told'),
  limit: WHOLE_NUMBER.optional().describe('1 to 5000, default 1000'),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,400}$/)
    .optional()
    .describe('from the trailer of the page before; stands in the place of from'),
});

/** Where a pull goes on: log, next index, and the size that its pages are pinned to. */
function cursorOf(origin: string, next: number, size: number): string {
  return Buffer.from(`${origin} ${next} ${size}`, 'utf8').toString('base64url');
}

/** @throws KmcError E_SCHEMA for a cursor of another log or form. */
function readCursor(cursor: string, origin: string): { from: number; size: number } {
  const [log, next = '', size = '', ...rest] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const places = [next, size].map((text) => (/^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : -1));
  const [from = -1, pinned = -1] = places;
  if (log !== origin || rest.length > 0 || from < 0 || pinned < 0) {
    throw new KmcError('E_SCHEMA', 'the cursor is not one of this log');
  }
  return { from, size: pinned };
}

/** One line for each event, and a trailer that says what was looked at. */
function ndjsonReply(page: AuditPage, root: Buffer, next: string | undefined, limit: number): Reply {
  const { entries, scanned, size } = page;
  const lines = entries.map(({ index, leaf, canon }) => {
    const head = `{"index":${index},"leaf":"${leaf.toString('base64url')}","canon":`;
    return `${head}${JSON.stringify(canon.toString('utf8'))}}\n`;
  });
  const trailer = {
    scanned: [scanned.from, scanned.next],
    size,
    root: root.toString('base64'),
    checkpoint: page.checkpoint.note,
    ...(next === undefined ? {} : { next }),
  };
  return {
    status: 200,
    headers: next === undefined ? {} : nextLink(EVENTS_PATH, { limit: String(limit), cursor: next }),
    bytes: { type: 'application/x-ndjson', body: Buffer.from(`${lines.join('')}${JSON.stringify(trailer)}\n`, 'utf8') },
  };
}

/** Routes of the audit log. */
export function auditRoutes(instance: ServedInstance): Route[] {
  const { database, clock, audit } = instance;
  const ports = { database, clock, origin: audit.origin };
  return [
    route({
      operationId: 'pullAuditEvents',
      method: 'get',
      path: EVENTS_PATH,
      tag: 'audit',
      summary: 'Events in the order of the tree, never beyond the newest checkpoint',
      access: { persons: READERS },
      query: EVENTS_QUERY,
      answers: {
        200: { description: 'a line {index, leaf, canon} each, then a trailer', type: 'application/x-ndjson' },
      },
      async handle({ query, caller, requestId }) {
        const limit = query.limit ?? DEFAULT_LIMIT;
        const start = query.cursor === undefined ? { from: query.from ?? 0 } : readCursor(query.cursor, audit.origin);
        const page = await pullAudit(ports, { ...start, limit, source: auditSourceOf(instance, requestId) }, caller);
        const next = page.done ? undefined : cursorOf(audit.origin, page.scanned.next, page.size);
        return ndjsonReply(page, await auditTreeRoot(ports, page.size), next, limit);
      },
    }),
    route({
      operationId: 'getAuditTile',
      method: 'get',
      path: `${TILE_PATH}/*path`,
      tag: 'audit',
      summary: 'A hash tile or entry bundle: {level}/{index}[.p/{width}] or entries/{index}[.p/{width}]',
      access: { persons: READERS },
      params: z.strictObject({ path: z.array(z.string().regex(/^[a-z0-9.]{1,16}$/)).max(8) }),
      answers: { 200: { description: 'the octets of the tile', type: 'application/octet-stream' } },
      async handle({ params, caller, requestId }) {
        const wanted = { path: params.path.join('/'), source: auditSourceOf(instance, requestId) };
        const body = await pullAuditTile(ports, wanted, caller);
        const headers = { 'cache-control': TILE_CACHE };
        return { status: 200, headers, bytes: { type: 'application/octet-stream', body } };
      },
    }),
    ...auditProofRoutes(instance),
  ];
}
