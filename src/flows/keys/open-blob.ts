import type { KeyHandle } from '../../crypto/engine.ts';
import { escrowedKeyContext } from '../../domain/keystore/blob-context.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';

/** What says that the blob, and not the moment, is at fault. */
const BROKEN: readonly ErrorCode[] = ['E_BLOB_AUTH', 'E_SUITE', 'E_SIZE', 'E_NOT_FOUND'];

/**
 * Opens the blob of an escrowed key under the version of the key-encryption key that its row states, and compares the
 * public key.
 * @returns a handle that the caller destroys, or the code of what is wrong: E_BLOB_AUTH, E_SUITE, E_SIZE, E_NOT_FOUND
 * (no such key-encryption key), E_KEY (another key than the row says), E_STATE (destroyed).
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function openBlob(
  { keystore, engine }: Pick<Instance, 'engine' | 'keystore'>,
  key: EscrowedKeyRow,
): Promise<KeyHandle | ErrorCode> {
  if (key.sealedKey === undefined) return 'E_STATE';
  try {
    const kek = await keystore.kek('escrow-store', key.kekVersion);
    const handle = await engine.openKey(kek, escrowedKeyContext(key.id, key.objectVersion), key.sealedKey);
    if (handle.spki.equals(key.spki)) return handle;
    engine.destroyKey(handle);
    return 'E_KEY';
  } catch (error) {
    if (error instanceof KmcError && BROKEN.includes(error.code)) return error.code;
    throw error;
  }
}
