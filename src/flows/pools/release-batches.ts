import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { PoolName } from '../../domain/key-pool.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { KeyBatchRow } from '../ports/key-batches.ts';

export interface ReleaseBatchesInput {
  readonly pool: PoolName;
  /** Id of the backup, as its list calls it. */
  readonly backupId: string;
  /** The moment that the backup shows: it holds every batch that was stored before. */
  readonly takenAt: Date;
  readonly requestId?: string;
}

export interface ReleasedBatches {
  readonly batches: number;
  readonly keys: number;
}

const PAGE = 100;
/** A batch is stored a little after the time that it states; what came that close to the backup waits for the next one. */
const STORING_MS = 60_000;

/**
 * States that a verified backup holds what was made before it was taken: those keys become issuable where policy waits
 * for that. One transaction for each batch, so that it goes on after a cut.
 * @throws KmcError E_TIME for a backup of the future.
 */
export async function releaseBatches(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  input: ReleaseBatchesInput,
): Promise<ReleasedBatches> {
  if (input.takenAt > ports.clock.now()) throw new KmcError('E_TIME', 'That backup is of a time to come.');
  const until = new Date(input.takenAt.getTime() - STORING_MS);
  let batches = 0;
  let keys = 0;
  for (;;) {
    const page = await ports.database.read((reader) => reader.keyBatches.waiting(input.pool, until, PAGE));
    for (const batch of page) {
      const released = await release(ports, caller, input, batch);
      if (released === undefined) continue;
      batches += 1;
      keys += released;
    }
    if (page.length < PAGE) return { batches, keys };
  }
}

/** @returns how many keys became issuable; nothing when somebody else released the batch. */
async function release(
  { database, clock, node }: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { pool, backupId, requestId }: ReleaseBatchesInput,
  batch: KeyBatchRow,
): Promise<number | undefined> {
  const at = clock.now();
  const id = newId('ev', at);
  return await database.transaction(async (tx) => {
    const count = await tx.keyBatches.release(batch.id, backupId, at, id);
    if (count === undefined) return undefined;
    await tx.audit.append(
      {
        id,
        action: 'key.release',
        outcome: 'success',
        subjects: [{ type: 'pool', id: pool }],
        actor: auditActor(caller),
        source: { node, ...(requestId === undefined ? {} : { request: requestId }) },
        detail: { pool, batch: batch.id, backup: backupId, count },
      },
      at,
    );
    return count;
  });
}
