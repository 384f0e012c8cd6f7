import type { SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { transitionKey } from './transition-key.ts';

/** Keys of one round. */
const ROUND = 500;

/**
 * Archives the keys in use whose crypto-period to protect is over (policy `device-encryption`): they are recovered from
 * the history store as long as records law asks. One transaction for each; one that changed meanwhile is left to the next
 * round.
 * @returns how many.
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function expireKeys(
  { database, clock, node, policies }: Pick<Instance, 'database' | 'clock' | 'node' | 'policies'>,
  caller: SystemCaller,
): Promise<number> {
  const at = clock.now();
  const { originateSeconds } = policies.cryptoPeriods['device-encryption'];
  const activatedBefore = new Date(at.getTime() - originateSeconds * 1000);
  const keys = await database.read((reader) => reader.escrowedKeys.activatedBefore(activatedBefore, ROUND));
  let expired = 0;
  for (const key of keys) {
    const auditEvent = newId('ev', at);
    const change = { act: 'deactivate', auditEvent, at, actor: caller, source: { node }, reason: 'expired' } as const;
    try {
      await database.transaction((tx) => transitionKey(tx, key, change));
      expired += 1;
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_CONFLICT') throw error;
    }
  }
  return expired;
}
