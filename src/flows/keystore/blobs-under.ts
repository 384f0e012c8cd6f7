/** How many blobs stand under a version of a key-encryption key. */
import type { Reader } from '../ports/database.ts';
import type { SealedKekRow } from '../ports/keystore-rows.ts';

/** Enrolment tokens and managed keys. */
export async function countUnderDbField(reader: Reader, version: number): Promise<number> {
  return (
    (await reader.enrolmentTokens.countSealedUnder(version)) + (await reader.managedKeys.countSealedUnder(version))
  );
}

/** All blobs of a version, whatever table they stand in. */
export async function blobsUnder(reader: Reader, { purpose, version }: SealedKekRow): Promise<number> {
  if (purpose === 'escrow-store') return await reader.escrowedKeys.countSealedUnder(version);
  if (purpose === 'db-field') return await countUnderDbField(reader, version);
  if (purpose !== 'ca-keys') return 0;
  const keys = await reader.keystoreRows.caKeys();
  return keys.filter(({ blob, kekVersion }) => blob !== undefined && kekVersion === version).length;
}
