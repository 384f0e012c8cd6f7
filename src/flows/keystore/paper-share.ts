/** Shares between paper and key: printed once for their holder, and typed in again (src/crypto/share-text.ts). */
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint } from '../../x509/certificate.ts';
import type { SealedShare } from './hand-out-shares.ts';

/**
 * The text of a share for its holder's paper. The caller prints and wipes it.
 * @throws KmcError E_DECRYPT (not encrypted to this key), E_SHARE_BAD.
 */
export async function printShare(engine: CryptoEngine, key: KeyHandle, sealed: SealedShare): Promise<Buffer> {
  const certificate = Buffer.from(sealed.certificate.slice('sm3:'.length), 'hex');
  const share = await engine.decryptShare(key, sealed.ciphertext, certificate);
  try {
    return await engine.writeShareText(share);
  } finally {
    engine.destroySecret(share.secret);
  }
}

export interface TypedShare {
  /** ASCII; the caller wipes it. */
  readonly text: Buffer;
  /** The holder's own key and certificate (DER). */
  readonly key: KeyHandle;
  readonly certificate: Buffer;
}

/**
 * A typed share as one that was handed out to this certificate.
 * @throws KmcError E_SHARE_BAD naming the wrong groups; E_CERT when the certificate names no person.
 */
export async function sealTypedShare(engine: CryptoEngine, typed: TypedShare): Promise<SealedShare> {
  const { text, key, certificate } = typed;
  const person = subjectPerson(parseCertificate(certificate).subject)?.id;
  if (person === undefined) throw new KmcError('E_CERT', 'The certificate does not name a person.');
  const fingerprint = sm3Fingerprint(certificate);
  const share = await engine.readShareText(text);
  try {
    const holder = Buffer.from(fingerprint.slice('sm3:'.length), 'hex');
    const ciphertext = await engine.encryptShareTo(share, key.spki, holder);
    return { setId: share.setId, index: share.index, person, certificate: fingerprint, ciphertext };
  } finally {
    engine.destroySecret(share.secret);
  }
}
