/** Backups: which there are, their octets, and reading one back. They are ordered by a request (act backup.create). */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import { listBackups, type ListedBackup } from '../../flows/backups/list-backups.ts';
import { verifyBackup } from '../../flows/backups/verify-backup.ts';
import type { Instance } from '../../flows/instance.ts';
import { route, type Route } from '../route.ts';
import { DIGEST, ID, TIME, timeText, WHOLE_NUMBER } from '../schemas.ts';

const PATH = '/api/v1/backups';
const READERS = ['system-administrator', 'security-administrator', 'auditor'] as const;
const BACKUP_ID = z.string().regex(/^backup-[0-9a-f]{32}$/, 'the id of a backup');
/** Octets in one answer at most. */
const PIECE_OCTETS = 4_194_304;

const BACKUP = z.object({
  id: BACKUP_ID,
  state: z.enum(['made', 'verified']).describe('made: it counts for nothing before it was read back'),
  request: ID,
  takenAt: TIME.describe('the moment that it shows'),
  expiresAt: TIME,
  size: z.string().describe('octets of the file'),
  content: DIGEST.describe('of what its signature covers'),
  epoch: z.string().describe('of the service keystore'),
  set: z.string().describe('the share set that opens it'),
  node: ID,
  here: z.boolean().describe('whether the answering process has the file'),
  verifiedAt: TIME.optional(),
});

function rendered(row: ListedBackup): z.infer<typeof BACKUP> {
  return {
    id: row.id,
    state: row.state,
    request: row.requestId,
    takenAt: timeText(row.takenAt),
    expiresAt: timeText(row.expiresAt),
    size: String(row.size),
    content: row.contentSm3,
    epoch: String(row.keystoreEpoch),
    set: row.setId,
    node: row.node,
    here: row.isHere,
    ...(row.verifiedAt === undefined ? {} : { verifiedAt: timeText(row.verifiedAt) }),
  };
}

/** Routes of backups. */
export function backupRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listBackups',
      method: 'get',
      path: PATH,
      tag: 'backups',
      summary: 'The newest backups first',
      access: { persons: READERS },
      answers: {
        200: { description: 'at most a thousand', schema: z.object({ instance: ID, items: z.array(BACKUP) }) },
      },
      async handle() {
        return { status: 200, json: { instance: instance.id, items: (await listBackups(instance)).map(rendered) } };
      },
    }),
    route({
      operationId: 'readBackup',
      method: 'get',
      path: `${PATH}/:id/content`,
      tag: 'backups',
      summary: 'The octets of a backup, sealed and signed: at most 4 MiB from an offset; none behind its end',
      access: { persons: ['system-administrator'] },
      params: z.strictObject({ id: BACKUP_ID }),
      query: z.strictObject({ offset: WHOLE_NUMBER.optional() }),
      answers: { 200: { description: 'the octets', type: 'application/octet-stream' } },
      async handle({ params, query }) {
        const row = await instance.database.read((reader) => reader.backups.find(params.id));
        if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no backup of that id.');
        const body = instance.backupFiles.piece(row.id, query.offset ?? 0, PIECE_OCTETS);
        return { status: 200, bytes: { type: 'application/octet-stream', body } };
      },
    }),
    route({
      operationId: 'verifyBackup',
      method: 'post',
      path: `${PATH}/:id/verifications`,
      tag: 'backups',
      summary: 'Reads a backup back to its last octet; from then on it counts, and releases what waits for one',
      access: { persons: ['system-administrator'] },
      idempotent: true,
      params: z.strictObject({ id: BACKUP_ID }),
      body: z.strictObject({}),
      answers: {
        201: {
          description: 'it is whole',
          schema: z.object({ id: BACKUP_ID, parts: z.int(), rows: z.int(), released: z.int() }),
        },
      },
      async handle({ params, caller, requestId }) {
        const { parts, rows, released } = await verifyBackup(instance, caller, { id: params.id, requestId });
        return { status: 201, json: { id: params.id, parts, rows, released } };
      },
    }),
  ];
}
