import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { openEscrowedKey, type OpenEscrowedKeyPorts } from '../keys/open-escrowed-key.ts';

/**
 * Opens an escrowed key and envelopes it to a recipient; the plain key ends here.
 * @param recipientSpki SubjectPublicKeyInfo of an SM2 key, DER.
 * @returns SM2EnvelopedKey (GM/T 0009), DER.
 * @throws KmcError E_SEALED, E_STATE, E_INTEGRITY, E_POINT; E_USAGE for a key that is not SM2.
 */
export async function envelopeKey(
  ports: OpenEscrowedKeyPorts,
  key: EscrowedKeyRow,
  recipientSpki: Buffer,
): Promise<Buffer> {
  const handle = await openEscrowedKey(ports, key);
  try {
    return await ports.engine.envelopeKey(handle, recipientSpki);
  } finally {
    ports.engine.destroyKey(handle);
  }
}
