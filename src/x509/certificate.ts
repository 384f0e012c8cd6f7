/** Certificate (RFC 5280 4.1, GM/T 0015): the signed whole around a TBSCertificate. */
import { SIGNATURE_ALGORITHMS } from '../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../crypto/algorithms.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { encodeSignedObject, requireSameAlgorithm, splitSignedObject } from './signed-object.ts';
import { parseTbsCertificate } from './tbs-certificate.ts';
import type { TbsCertificate } from './tbs-certificate.ts';

export { encodeTbsCertificate, parseTbsCertificate } from './tbs-certificate.ts';
export type { CertificatePlan, TbsCertificate } from './tbs-certificate.ts';

/** A certificate as read; its signature is not verified. Buffers are views into the input. */
export interface Certificate extends TbsCertificate {
  /** The whole certificate, DER. */
  readonly der: Buffer;
  /** The octets of the signature BIT STRING. */
  readonly signature: Buffer;
}

const MAX_CERTIFICATE_OCTETS = 65_536;

/**
 * Reads a certificate and verifies nothing: strict DER, version 3, the same AlgorithmIdentifier inside and outside, no
 * extension twice, every known extension well-formed, an acceptable public key, acceptable names. Throws `E_DER`,
 * `E_SIZE` above 64 KiB, and what `parseTbsCertificate` throws.
 */
export function parseCertificate(der: Buffer): Certificate {
  const signed = splitSignedObject(der, 'certificate', MAX_CERTIFICATE_OCTETS);
  const fields = parseTbsCertificate(signed.tbs);
  requireSameAlgorithm(signed, fields.signatureAlgorithmDer, 'certificate');
  return { ...fields, der, signature: signed.signature };
}

/** Certificate DER of a TBSCertificate and its signature in X.509 form (DER SEQUENCE{r,s} for SM2 and ECDSA). */
export function assembleCertificate(tbs: Buffer, algorithm: SignatureAlgorithmName, signature: Buffer): Buffer {
  return encodeSignedObject(tbs, SIGNATURE_ALGORITHMS[algorithm].identifier, signature);
}

/** The name of a certificate in records and requests: `sm3:` and the hex of SM3 over its DER. */
export function sm3Fingerprint(der: Buffer): string {
  return `sm3:${sm3(der).toString('hex')}`;
}
