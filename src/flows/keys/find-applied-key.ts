import { spkiSm3 } from '../../crypto/spki.ts';
import type { ChosenKey } from './choose-key.ts';
import { openEscrowedKey, type OpenEscrowedKeyPorts } from './open-escrowed-key.ts';
import type { OwnedKeyRow } from './take-key.ts';

/** A key that its authority applied for over GM/T 0014 and has not certified yet, opened. */
export interface AppliedKey extends ChosenKey {
  readonly row: OwnedKeyRow;
}

/**
 * The key that the authority applied for, for the user with this signing key and Name (DER), and has not certified yet;
 * nothing when there is none. Its certificate is to bear the serial number that was applied with.
 * @throws KmcError E_SEALED, E_INTEGRITY.
 */
export async function findAppliedKey(
  ports: OpenEscrowedKeyPorts,
  authorityId: string,
  user: { readonly signSpki: Buffer; readonly subject: Buffer },
): Promise<AppliedKey | undefined> {
  const asked = { authorityId, recipientSpkiSm3: spkiSm3(user.signSpki), subject: user.subject };
  const row = await ports.database.read((reader) => reader.escrowedKeys.appliedFor(asked));
  if (row?.owner === undefined) return undefined;
  return { row: { ...row, owner: row.owner }, handle: await openEscrowedKey(ports, row) };
}
