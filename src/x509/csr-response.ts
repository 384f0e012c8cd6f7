/** CSRResponse (GM/T 0092): signing certificate, and together the envelope and certificate of the encryption key. */
import {
  children,
  contextExplicit,
  contextImplicit,
  cursor,
  decodeSequence,
  implicitAs,
  sequence,
  set,
  TAG,
} from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { KmcError } from '../errors.ts';

/** The encryption half of a dual issuance; both parts come together or not at all. */
export interface CsrResponseEncryption {
  /** SM2EnvelopedKey, DER (GM/T 0009). */
  readonly envelopedKey: Buffer;
  /** Certificates, DER each. */
  readonly certificates: readonly Buffer[];
}

export interface CsrResponse {
  /** Certificates, DER each; the first counts, since there is one in practice. */
  readonly signCertificates: readonly Buffer[];
  readonly encryption?: CsrResponseEncryption;
}

const ENVELOPED_KEY = 0xa0;
const ENCRYPT_CERTIFICATES = 0xa1;

function setOfCertificates(certificates: readonly Buffer[], what: string): Buffer {
  if (certificates.length === 0) throw new KmcError('E_DER', `A CSRResponse needs a ${what}.`);
  return set(...certificates);
}

function certificatesOf(element: DerElement, what: string): Buffer[] {
  const certificates = children(element);
  if (certificates.length === 0 || certificates.some((certificate) => certificate.tag !== TAG.sequence)) {
    throw new KmcError('E_DER', `The CSRResponse holds no ${what}, or something else in its place.`);
  }
  return certificates.map((certificate) => certificate.encoded);
}

/**
 * CSRResponse DER: SEQUENCE { SET OF signCertificate, [0] EXPLICIT SM2EnvelopedKey, [1] IMPLICIT SET OF
 * encryptCertificate }, the last two left out without `encryption`. Throws `E_DER` for an empty list.
 */
export function encodeCsrResponse({ signCertificates, encryption }: CsrResponse): Buffer {
  const signing = setOfCertificates(signCertificates, 'signing certificate');
  if (encryption === undefined) return sequence(signing);
  return sequence(
    signing,
    contextExplicit(0, encryption.envelopedKey),
    contextImplicit(1, setOfCertificates(encryption.certificates, 'encryption certificate')),
  );
}

/**
 * Reads a CSRResponse (DER). Certificates and envelope come back as DER, not parsed or verified. Throws `E_DER` for
 * another structure or when only one half of the encryption part is there, `E_SIZE` above 1 MiB.
 */
export function parseCsrResponse(der: Buffer): CsrResponse {
  const fields = decodeSequence(der, 'CSRResponse');
  const signing = fields.next(TAG.set, 'signCertificate');
  const envelope = fields.optional(ENVELOPED_KEY);
  const encrypting = fields.optional(ENCRYPT_CERTIFICATES);
  fields.end('CSRResponse');
  const signCertificates = certificatesOf(signing, 'signing certificate');
  if (envelope === undefined && encrypting === undefined) return { signCertificates };
  if (envelope === undefined || encrypting === undefined) {
    throw new KmcError('E_DER', 'The CSRResponse holds only one of enveloped key and encryption certificate.');
  }
  const content = cursor(envelope);
  const envelopedKey = content.next(TAG.sequence, 'encryptedPrivateKey').encoded;
  content.end('encryptedPrivateKey');
  const certificates = certificatesOf(implicitAs(encrypting, TAG.set), 'encryption certificate');
  return { signCertificates, encryption: { envelopedKey, certificates } };
}
