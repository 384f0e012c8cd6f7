import type { SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import type { Instance } from '../instance.ts';

/** A process that lives accounts for its blocks once a minute. */
const LOST_AFTER_MS = 15 * 60_000;
const ROUND = 100;

/**
 * Ends the blocks of processes that ended without a word. Their uses stay counted against the limit, and an event says how
 * many may have been made that nobody counted.
 * @returns how many blocks.
 * @throws KmcError E_AUDIT, E_STORAGE, E_SEALED.
 */
export async function closeLostUses(
  { database, clock, node }: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: SystemCaller,
): Promise<number> {
  const at = clock.now();
  const before = new Date(at.getTime() - LOST_AFTER_MS);
  const blocks = await database.read((reader) => reader.keyUses.blocksBefore(before, ROUND));
  let closed = 0;
  for (const block of blocks) {
    const id = newId('ev', at);
    const isMine = await database.transaction(async (tx) => {
      if (!(await tx.keyUses.settle(block, 0))) return false;
      await tx.audit.append(
        {
          id,
          action: 'key.use',
          outcome: 'success',
          subjects: [{ type: 'key', id: block.versionId }],
          actor: caller,
          source: { node },
          detail: { lost: block.size, minute: signedTime(block.reservedAt) },
        },
        at,
      );
      return true;
    });
    if (isMine) closed += 1;
  }
  return closed;
}
