/**
 * What a person signs with the own SM2 key stands as `{body, signature, certificate}` (CONTRACT 5): decisions of approvals,
 * attestations of facts, attestations of reports. The body names the certificate, so that neither can be exchanged.
 */
import { SIGNATURE_ALGORITHMS, verifySignature } from '../crypto/algorithms.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../x509/certificate.ts';
import { isBase64, signedBytes, textLike, type MemberCheck, type SIGNED_PREFIXES } from './signed-body.ts';

export interface PersonallySigned<Body extends { readonly certSm3: string }> {
  readonly body: Body;
  /** base64 of the raw SM2 signature r||s, 64 octets. */
  readonly signature: string;
  /** base64 of the certificate, DER. */
  readonly certificate: string;
}

/** Longest certificate of a person that is read, in octets. */
const MAX_CERTIFICATE = 8192;

/** The form of everything but the body, which has checks of its own. */
export const PERSONALLY_SIGNED: Readonly<Record<'body' | 'signature' | 'certificate', MemberCheck>> = {
  body: () => undefined,
  signature: textLike(/^[A-Za-z0-9+/]{86}==$/, 'base64 of 64 octets'),
  certificate: (value) =>
    typeof value === 'string' && value.length <= (MAX_CERTIFICATE / 3) * 4 && isBase64(value)
      ? undefined
      : 'must be base64 of a certificate',
};

/**
 * Checks that the certificate is the one the body names and that its SM2 key signed the body. Whether the certificate is
 * trusted and in force, and what its holder may do, is not looked at here.
 * @param what for people: `decision`, `attestation`.
 * @returns the certificate.
 * @throws KmcError E_APPROVAL (other certificate, or a key that is not SM2), E_SIGNATURE, E_DER, E_CERT, E_POINT.
 */
export function verifyPersonalSignature(
  kind: keyof typeof SIGNED_PREFIXES,
  { body, signature, certificate: text }: PersonallySigned<{ readonly certSm3: string }>,
  what: string,
): Certificate {
  const certificate = parseCertificate(Buffer.from(text, 'base64'));
  if (sm3Fingerprint(certificate.der) !== body.certSm3) {
    throw new KmcError('E_APPROVAL', `The ${what} names another certificate than the one it carries. Sign it again.`);
  }
  if (certificate.keyAlgorithm !== 'SM2') {
    throw new KmcError(
      'E_APPROVAL',
      `The ${what} is signed with an SM2 key. Use the certificate of the administrator CA.`,
    );
  }
  const raw = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(Buffer.from(signature, 'base64'));
  if (verifySignature('SM2-SM3', certificate.spki, signedBytes(kind, body), raw)) return certificate;
  throw new KmcError('E_SIGNATURE', `The signature of the ${what} does not verify. Sign it again.`);
}
