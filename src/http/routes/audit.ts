/** The auditor's pull of events (audit-log 3.11). Reading them is for auditors, and recorded. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import type { AuditFilter } from '../../domain/audit/filter.ts';
import { AUDIT_FORMAT_NAMES, AUDIT_FORMATS, type AuditFormat } from '../../domain/audit/projections/formats.ts';
import { AUDIT_OUTCOMES } from '../../domain/audit/record.ts';
import { KmcError } from '../../errors.ts';
import { auditTreeRoot } from '../../flows/audit/tree/audit-tree-root.ts';
import { pullAudit, type AuditPage } from '../../flows/audit/pulls/pull-audit.ts';
import { pullAuditTile } from '../../flows/audit/pulls/pull-audit-tile.ts';
import { nextLink } from '../listing.ts';
import { route, type Reply, type Route } from '../route.ts';
import { REGION, TIME, WHOLE_NUMBER } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';
import { auditCosignatureRoutes } from './audit-cosignatures.ts';
import { auditHistoryRoutes } from './audit-histories.ts';
import { auditProofRoutes } from './audit-proofs.ts';

const READERS = ['auditor', 'audit-administrator'] as const;
const EVENTS_PATH = '/api/v1/audit/events';
const TILE_PATH = '/api/v1/audit/tile';
const gzipOctets = promisify(gzip);
const DEFAULT_LIMIT = 1_000;
/** A tile of a given name never changes; what it holds is for its reader alone. */
const TILE_CACHE = 'private, max-age=31536000, immutable';

const TAG_TEXT = z.string().regex(/^[a-z0-9][a-z0-9:./_-]{0,159}$/, 'an identifier');

const EVENTS_QUERY = z.strictObject({
  from: WHOLE_NUMBER.optional().describe('index of the first event wanted; 0 unless told'),
  limit: WHOLE_NUMBER.optional().describe('1 to 5000, default 1000'),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,400}$/)
    .optional()
    .describe('from the trailer of the page before; stands in the place of from'),
  since: TIME.optional().describe('events of this time or later'),
  until: TIME.optional().describe('events before this time'),
  actor: TAG_TEXT.optional().describe('id of who did it'),
  action: z
    .string()
    .regex(/^[a-z-]{1,32}\.[a-z-]{0,32}$/)
    .optional()
    .describe('an action, or its beginning up to the dot'),
  subject: TAG_TEXT.optional().describe('type and id, e.g. key:key-01j'),
  region: REGION.optional(),
  outcome: z.enum(AUDIT_OUTCOMES).optional(),
  format: z.enum(AUDIT_FORMAT_NAMES).optional().describe('jsonl unless told; only that is evidence'),
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

type EventsQuery = z.output<typeof EVENTS_QUERY>;

/** The filter of the query; only members that were given. */
function filterOf({ since, until, actor, action, subject, region, outcome }: EventsQuery): AuditFilter {
  return {
    ...(since === undefined ? {} : { since: new Date(since) }),
    ...(until === undefined ? {} : { until: new Date(until) }),
    ...(actor === undefined ? {} : { actor }),
    ...(action === undefined ? {} : { action }),
    ...(subject === undefined ? {} : { subject }),
    ...(region === undefined ? {} : { region }),
    ...(outcome === undefined ? {} : { outcome }),
  };
}

/** Where the next page is, with everything else that was asked. */
function linkToNext(query: EventsQuery, limit: number, cursor: string): Readonly<Record<string, string>> {
  return nextLink(EVENTS_PATH, { ...query, from: undefined, limit: String(limit), cursor });
}

/** The events in their form; of JSON lines the last one says what was looked at, as the headers do for every form. */
function pageReply(page: AuditPage, root: Buffer, next: string | undefined, query: EventsQuery): Reply {
  const { entries, scanned, size } = page;
  const name = query.format ?? 'jsonl';
  const { header, line, type }: AuditFormat = AUDIT_FORMATS[name];
  const trailer = {
    scanned: [scanned.from, scanned.next],
    size,
    root: root.toString('base64'),
    checkpoint: page.checkpoint.note,
    ...(next === undefined ? {} : { next }),
  };
  const isFirst = scanned.from === 0 || query.cursor === undefined;
  const end = name === 'jsonl' ? `${JSON.stringify(trailer)}\n` : '';
  return {
    status: 200,
    headers: {
      'kmc-audit-scanned': `${scanned.from}-${scanned.next}/${size}`,
      ...(next === undefined ? {} : linkToNext(query, query.limit ?? DEFAULT_LIMIT, next)),
    },
    bytes: { type, body: Buffer.from(`${isFirst ? header : ''}${entries.map(line).join('')}${end}`, 'utf8') },
  };
}

/** Compressed for who accepts that. */
async function compressed(reply: Reply, accepted: string | undefined): Promise<Reply> {
  if (reply.bytes === undefined || !/(?:^|,)\s*gzip\s*(?:,|$)/.test(accepted ?? '')) return reply;
  const body = await gzipOctets(reply.bytes.body);
  const headers = { ...reply.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' };
  return { ...reply, headers, bytes: { ...reply.bytes, body } };
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
      console: true,
      query: EVENTS_QUERY,
      answers: {
        200: { description: 'a line {index, leaf, canon} each, then a trailer', type: 'application/x-ndjson' },
      },
      async handle(context) {
        const { query, caller, requestId } = context;
        const limit = query.limit ?? DEFAULT_LIMIT;
        const start = query.cursor === undefined ? { from: query.from ?? 0 } : readCursor(query.cursor, audit.origin);
        const asked = { ...start, limit, filter: filterOf(query), source: auditSourceOf(instance, requestId) };
        const { format } = query;
        const page = await pullAudit(ports, { ...asked, ...(format === undefined ? {} : { format }) }, caller);
        const next = page.done ? undefined : cursorOf(audit.origin, page.scanned.next, page.size);
        const reply = pageReply(page, await auditTreeRoot(ports, page.size), next, query);
        return await compressed(reply, context.header('accept-encoding'));
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
    ...auditCosignatureRoutes(instance),
    ...auditHistoryRoutes(instance),
    ...auditProofRoutes(instance),
  ];
}
