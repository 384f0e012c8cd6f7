import type { KeystoreFileReader } from '../ports/keystore.ts';
import type { SealedKekRow } from '../ports/keystore-rows.ts';
import type { KeyRing } from './key-ring.ts';

/**
 * Opens the key-encryption keys of database rows; those that the ring holds already, and destroyed ones, are passed over.
 * @throws KmcError E_INTEGRITY naming the key that does not open.
 */
export async function openKekRows(
  ring: KeyRing,
  files: KeystoreFileReader,
  rows: readonly Omit<SealedKekRow, 'state' | 'createdAt'>[],
): Promise<void> {
  for (const { blob, ...row } of rows) {
    if (blob !== undefined) await ring.openKek({ ...row, blob }, files);
  }
}
