import type { KeystoreFileReader } from '../ports/keystore.ts';
import type { SealedKekRow } from '../ports/keystore-rows.ts';
import type { KeyRing } from './key-ring.ts';

/**
 * Opens the key-encryption keys of database rows. Those that the ring holds already are passed over; those that were
 * destroyed are forgotten.
 * @throws KmcError E_INTEGRITY naming the key that does not open.
 */
export async function openKekRows(
  ring: KeyRing,
  files: KeystoreFileReader,
  rows: readonly Omit<SealedKekRow, 'state'>[],
): Promise<void> {
  for (const { blob, createdAt, ...row } of rows) {
    if (blob === undefined) ring.forgetKek(row.purpose, row.version);
    else await ring.openKek({ ...row, blob }, files, createdAt);
  }
}
