import type { SystemCaller } from '../../../domain/caller.ts';
import type { IndexEpoch } from '../../ports/audit-index.ts';
import { closeIndexEpoch, type IndexPorts } from './close-index-epoch.ts';

/** Signed leaves behind the index that make an epoch due at once, and once the last one is an hour old. */
const MANY = 65_536;
const ENOUGH = 1_024;
const EPOCH_MS = 3_600_000;

/**
 * Closes an epoch of the index when it is due. A log in which little happens stays as it is: the events of epochs must
 * not be what new epochs are about.
 * @returns the epoch that was closed.
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function keepIndex(ports: IndexPorts, caller: SystemCaller): Promise<IndexEpoch | undefined> {
  const { last, signed } = await ports.database.read(async (reader) => ({
    last: await reader.auditIndex.newestEpoch(),
    signed: (await reader.audit.newestCheckpoint())?.size ?? 0,
  }));
  const news = signed - (last?.size ?? 0);
  const isOld = last === undefined || ports.clock.now().getTime() - last.closedAt.getTime() >= EPOCH_MS;
  return news >= MANY || (news >= ENOUGH && isOld) ? await closeIndexEpoch(ports, caller) : undefined;
}
