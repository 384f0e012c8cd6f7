import { KmcError } from '../../../errors.ts';
import type { StoredCheckpoint } from '../../ports/audit.ts';
import type { Database, Reader } from '../../ports/database.ts';

/** Seconds until a witness may have come. */
const RETRY_SECONDS = 10;

/**
 * The newest checkpoint that at least so many auditors have cosigned (0: the newest of all), with their lines in its note.
 * Undefined when there is none.
 */
export async function cosignedNote(
  ports: { readonly database: Pick<Database, 'read'> },
  keys: number,
): Promise<StoredCheckpoint | undefined> {
  return await ports.database.read(async ({ audit, cosignatures }) => {
    const checkpoint = keys === 0 ? await audit.newestCheckpoint() : await cosignatures.newest(keys);
    if (checkpoint === undefined) return undefined;
    const lines = (await cosignatures.of(checkpoint.time)).map(({ line }) => `${line}\n`);
    return { ...checkpoint, note: `${checkpoint.note}${lines.join('')}` };
  });
}

/**
 * Lets the result of an act of the highest class out only when a checkpoint that so many auditors have cosigned covers its
 * event (audit-log 3.6).
 * @throws KmcError E_PENDING with Retry-After until then.
 */
export async function requireCosigned(reader: Reader, eventId: string, keys: number): Promise<void> {
  if (keys === 0) return;
  const event = await reader.audit.find(eventId);
  const covered = (await reader.cosignatures.newest(keys))?.size ?? 0;
  if (event?.index !== undefined && event.index < covered) return;
  throw new KmcError(
    'E_PENDING',
    `What was recovered is handed out once ${keys} auditors have cosigned the log over it (kmc audit witness).`,
    { retryAfter: RETRY_SECONDS },
  );
}
