/** CertificationRequest, PKCS#10 (RFC 2986): read strictly, its proof of possession verified, and written for devices. */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, verifySignature } from '../crypto/algorithms.ts';
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../crypto/algorithms.ts';
import {
  contextImplicit,
  cursor,
  integer,
  oid,
  readSmallInteger,
  sequence,
  set,
  TAG,
  utf8String,
} from '../crypto/asn1/der.ts';
import { OID } from '../crypto/asn1/oids.ts';
import { parseSpki } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';
import { parseRequestAttributes } from './csr-attributes.ts';
import type { RequestAttributes } from './csr-attributes.ts';
import { encodeExtensions } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { parseName } from './name.ts';
import type { Name } from './name.ts';
import { encodeSignedObject, splitSignedObject } from './signed-object.ts';

/** A certification request as read. What it asks for is a wish: the profile decides. Buffers are views into the input. */
export interface CertificationRequest extends RequestAttributes {
  /** The whole request, DER. */
  readonly der: Buffer;
  /** CertificationRequestInfo, DER: the octets that are signed. */
  readonly info: Buffer;
  readonly subject: Name;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly keyAlgorithm: KeyAlgorithmName;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** The octets of the signature BIT STRING. */
  readonly signature: Buffer;
}

/** What a request is to ask for, ready to be written. */
export interface CertificationRequestPlan {
  /** Name DER. */
  readonly subject: Buffer;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly extensions?: readonly Extension[];
  /** The channel binding of EST (RFC 7030 3.5), not a password. */
  readonly challengePassword?: string;
}

const VERSION_1 = integer(0);
const MAX_REQUEST_OCTETS = 16_384;

/**
 * Reads a PKCS#10 request and verifies nothing, see `verifyProofOfPossession`. No attribute and no requested extension
 * may occur twice; the subject must not be empty. Throws `E_DER`, `E_SIZE` above 16 KiB, `E_CSR`, for the public key
 * `E_POINT` or `E_KEY`, and `E_SIGNATURE` for a signature algorithm that is not accepted.
 */
export function parseCsr(der: Buffer): CertificationRequest {
  const signed = splitSignedObject(der, 'certification request', MAX_REQUEST_OCTETS);
  const fields = cursor(signed.tbs);
  if (readSmallInteger(fields.next(TAG.integer, 'version')) !== 0) {
    throw new KmcError('E_CSR', 'The certification request is not version 1.');
  }
  const subject = parseName(fields.next(TAG.sequence, 'subject'), 'E_CSR');
  const spki = fields.next(TAG.sequence, 'subjectPKInfo').encoded;
  const attributes = parseRequestAttributes(fields.next(0xa0, 'attributes'));
  fields.end('CertificationRequestInfo');
  return {
    der,
    info: signed.tbs.encoded,
    subject,
    spki,
    keyAlgorithm: parseSpki(spki).algorithm,
    ...attributes,
    signatureAlgorithm: signed.signatureAlgorithm,
    signature: signed.signature,
  };
}

/**
 * Checks that the request is signed by the private key of the public key in it: for SM2 with the default ID and no
 * other, so a signature without Z, with an empty ID, or made by ECDSA does not pass; SHA-1 does not pass either. Throws
 * `E_POP`.
 */
export function verifyProofOfPossession(request: CertificationRequest): void {
  const { keyAlgorithm, signatureAlgorithm, spki } = request;
  if (!KEY_ALGORITHMS[keyAlgorithm].signatures.includes(signatureAlgorithm) || signatureAlgorithm === 'RSA-SHA1') {
    throw new KmcError(
      'E_POP',
      `A request for a key of kind ${keyAlgorithm} must not be signed by ${signatureAlgorithm}.`,
    );
  }
  if (verifySignature(signatureAlgorithm, spki, request.info, request.signature)) return;
  throw new KmcError(
    'E_POP',
    'The signature of the certification request does not verify under the key in it. ' +
      'Sign the CertificationRequestInfo with that key; SM2 needs Z with the ID 1234567812345678.',
  );
}

function attribute(type: string, value: Buffer): Buffer {
  return sequence(oid(type), set(value));
}

/** CertificationRequestInfo DER: version, subject, key, and the attributes extensionRequest and challengePassword. */
export function encodeCertificationRequestInfo(plan: CertificationRequestPlan): Buffer {
  const { extensions, challengePassword } = plan;
  const attributes: Buffer[] = [];
  if (extensions !== undefined) attributes.push(attribute(OID.extensionRequest, encodeExtensions(extensions)));
  if (challengePassword !== undefined) attributes.push(attribute(OID.challengePassword, utf8String(challengePassword)));
  return sequence(VERSION_1, plan.subject, plan.spki, contextImplicit(0, set(...attributes)));
}

/** CertificationRequest DER of a CertificationRequestInfo and its signature in X.509 form. */
export function assembleCsr(info: Buffer, algorithm: SignatureAlgorithmName, signature: Buffer): Buffer {
  return encodeSignedObject(info, SIGNATURE_ALGORITHMS[algorithm].identifier, signature);
}
