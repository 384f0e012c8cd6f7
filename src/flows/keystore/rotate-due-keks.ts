import type { SystemCaller } from '../../domain/caller.ts';
import { isWornOut, kekPeriod, originatorVerdict } from '../../domain/crypto-period.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { SealedKekRow } from '../ports/keystore-rows.ts';
import { rotateKek } from './rotate-kek.ts';

type RotatePorts = Pick<Instance, 'database' | 'clock' | 'node' | 'keystore' | 'policies'>;

/**
 * Replaces the key-encryption keys whose crypto-period nears its end, by time or by the blobs under them, so that no use is
 * refused (E_PERIOD). Of several nodes one does it.
 * @returns the names of the purposes.
 * @throws KmcError E_SEALED, E_STORAGE, E_AUDIT.
 */
export async function rotateDueKeks(ports: RotatePorts, caller: SystemCaller): Promise<readonly string[]> {
  await ports.keystore.reload();
  const rows = await ports.database.read((reader) => reader.keystoreRows.keks());
  const rotated: string[] = [];
  for (const row of rows.filter(({ state }) => state === 'current')) {
    if (!(await isDue(ports, row))) continue;
    try {
      await rotateKek(ports, { purpose: row.purpose, source: { node: ports.node } }, caller);
      rotated.push(row.purpose);
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_CONFLICT') throw error;
    }
  }
  return rotated;
}

async function isDue({ database, clock, policies }: RotatePorts, row: SealedKekRow): Promise<boolean> {
  const period = policies.cryptoPeriods[kekPeriod(row.purpose)];
  const verdict = originatorVerdict(period, row.createdAt, clock.now());
  if (verdict === 'near-end' || verdict === 'over') return true;
  if (row.purpose !== 'escrow-store' || period.mostBlobs === undefined) return false;
  return isWornOut(period, await database.read((reader) => reader.escrowedKeys.countSealedUnder(row.version)));
}
