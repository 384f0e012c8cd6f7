import { verifySignature } from '../../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../../crypto/algorithms.ts';
import type { Certificate } from '../certificate.ts';

/** What a signature check needs of a certificate or CRL. */
export interface SignedFields {
  readonly tbs: Buffer;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  readonly signature: Buffer;
}

/** Objects are immutable, so a signature that verified once under a key does so for ever. */
const VERIFIED = new WeakMap<SignedFields, Map<string, boolean>>();

/**
 * Whether the signature on a parsed certificate or CRL verifies under the key of `issuer`; the answer is kept with the
 * parsed object.
 */
export function verifySignedBy(signed: SignedFields, issuer: Pick<Certificate, 'spki'>): boolean {
  const key = issuer.spki.toString('base64');
  const answers = VERIFIED.get(signed) ?? new Map<string, boolean>();
  VERIFIED.set(signed, answers);
  const known = answers.get(key);
  if (known !== undefined) return known;
  const { signatureAlgorithm, tbs, signature } = signed;
  const verified = verifySignature(signatureAlgorithm, issuer.spki, tbs, signature);
  answers.set(key, verified);
  return verified;
}
