import type { KeyHandle } from '../../crypto/engine.ts';
import { kekPeriod, requireProcessingPeriod } from '../../domain/crypto-period.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { openBlob } from './open-blob.ts';
import { recordKeyFault } from './record-key-fault.ts';

export type OpenEscrowedKeyPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'engine' | 'keystore' | 'policies'>;

/**
 * Opens an escrowed key. One that does not open, or opens as another key, is recorded at once.
 * @returns a handle that the caller destroys.
 * @throws KmcError E_SEALED; E_STATE for a destroyed key; E_INTEGRITY for a broken one; E_PERIOD when its key-encryption
 * key is past the time in which it may still open: the service seals the key anew under the current one.
 */
export async function openEscrowedKey(ports: OpenEscrowedKeyPorts, key: EscrowedKeyRow): Promise<KeyHandle> {
  let row = key;
  let opened = await openBlob(ports, row);
  if (typeof opened === 'string') {
    // It may have been sealed anew since it was read, and the key before destroyed.
    row = (await ports.database.read((reader) => reader.escrowedKeys.find(key.id))) ?? key;
    if (row.objectVersion !== key.objectVersion || row.sealedKey === undefined) opened = await openBlob(ports, row);
  }
  if (typeof opened !== 'string') return withinPeriod(ports, row, opened);
  if (opened === 'E_STATE') throw new KmcError('E_STATE', 'The key is destroyed: nothing of it is left to open.');
  await recordKeyFault(ports, row, opened);
  throw new KmcError('E_INTEGRITY', `The escrowed key ${key.id} does not open. Restore its row from a backup.`);
}

function withinPeriod(
  { keystore, policies, clock, engine }: OpenEscrowedKeyPorts,
  { kekVersion }: EscrowedKeyRow,
  opened: KeyHandle,
): KeyHandle {
  const createdAt = keystore.kekCreatedAt({ purpose: 'escrow-store', version: kekVersion });
  try {
    const period = policies.cryptoPeriods[kekPeriod('escrow-store')];
    if (createdAt !== undefined) requireProcessingPeriod(period, createdAt, clock.now());
    return opened;
  } catch (error) {
    engine.destroyKey(opened);
    throw error;
  }
}
