import type { KeyHandle } from '../../crypto/engine.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { openBlob } from './open-blob.ts';
import { recordKeyFault } from './record-key-fault.ts';

export type OpenEscrowedKeyPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'engine' | 'keystore'>;

/**
 * Opens an escrowed key. One that does not open, or opens as another key, is recorded at once.
 * @returns a handle that the caller destroys.
 * @throws KmcError E_SEALED; E_STATE for a destroyed key; E_INTEGRITY for a broken one.
 */
export async function openEscrowedKey(ports: OpenEscrowedKeyPorts, key: EscrowedKeyRow): Promise<KeyHandle> {
  let row = key;
  let opened = await openBlob(ports, row);
  if (typeof opened === 'string') {
    // It may have been sealed anew since it was read, and the key before destroyed.
    row = (await ports.database.read((reader) => reader.escrowedKeys.find(key.id))) ?? key;
    if (row.objectVersion !== key.objectVersion || row.sealedKey === undefined) opened = await openBlob(ports, row);
  }
  if (typeof opened !== 'string') return opened;
  if (opened === 'E_STATE') throw new KmcError('E_STATE', 'The key is destroyed: nothing of it is left to open.');
  await recordKeyFault(ports, row, opened);
  throw new KmcError('E_INTEGRITY', `The escrowed key ${key.id} does not open. Restore its row from a backup.`);
}
