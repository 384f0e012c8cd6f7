/** The custodian's side: a share moves from the holder's key to the key of a session, and is never in clear outside. */
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';

export interface ShareTransfer {
  /** The holder's own SM2 key. */
  readonly holder: KeyHandle;
  /** SM3 of the certificate (DER) that the share was handed out to, 32 octets. */
  readonly holderCertificateSm3: Buffer;
  /** The share as it was handed out: DER SM2Cipher. */
  readonly share: Buffer;
  /** SubjectPublicKeyInfo (DER) of the session; compare its fingerprint with what the other side shows. */
  readonly sessionSpki: Buffer;
}

/**
 * Decrypts a holder's share and encrypts it to a session, both inside the engine.
 * @returns DER SM2Cipher, good for this session only.
 * @throws KmcError E_DECRYPT (not encrypted to this key), E_SHARE_BAD (damaged or another holder's), E_POINT.
 */
export async function transferShare(engine: CryptoEngine, transfer: ShareTransfer): Promise<Buffer> {
  const { holder, holderCertificateSm3, share, sessionSpki } = transfer;
  const opened = await engine.decryptShare(holder, share, holderCertificateSm3);
  try {
    return await engine.encryptShareTo(opened, sessionSpki, holderCertificateSm3);
  } finally {
    engine.destroySecret(opened.secret);
  }
}
