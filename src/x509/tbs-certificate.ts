/** TBSCertificate (RFC 5280 4.1.2, GM/T 0015): what is signed, read strictly and written by hand. */
import { SIGNATURE_ALGORITHMS, signatureAlgorithmFromIdentifier } from '../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../crypto/algorithms.ts';
import {
  contextExplicit,
  cursor,
  decodeDer,
  integer,
  readSmallInteger,
  readTime,
  sequence,
  TAG,
  time,
} from '../crypto/asn1/der.ts';
import type { DerCursor, DerElement } from '../crypto/asn1/der.ts';
import { parseSpki } from '../crypto/spki.ts';
import type { KeyAlgorithmName } from '../crypto/algorithms.ts';
import { KmcError } from '../errors.ts';
import type { BasicConstraints } from './extensions/constraints.ts';
import { encodeExtensions, EXTENSIONS, parseExtensions, readExtension } from './extensions.ts';
import type { Extension } from './extensions.ts';
import type { GeneralName } from './extensions/general-name.ts';
import type { KeyUsageName } from './extensions/key-usage.ts';
import { parseName } from './name.ts';
import type { Name } from './name.ts';
import { sequenceFields } from './sequence-fields.ts';
import { serialNumberText } from './serial-number.ts';

/** What a certificate is to say, ready to be written. */
export interface CertificatePlan {
  /** Magnitude, big-endian, 8 to 20 octets, positive. */
  readonly serialNumber: Buffer;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** Name DER. */
  readonly issuer: Buffer;
  /** Name DER. */
  readonly subject: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly extensions: readonly Extension[];
}

/** The fields of a TBSCertificate as read. Buffers are views into the input. */
export interface TbsCertificate {
  /** TBSCertificate, DER: the octets that are signed. */
  readonly tbs: Buffer;
  /** Lower-case hex, see `serialNumberText`. */
  readonly serialNumber: string;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** The AlgorithmIdentifier as it stands, DER. */
  readonly signatureAlgorithmDer: Buffer;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly keyAlgorithm: KeyAlgorithmName;
  /** In the order of the certificate; none occurs twice, every known value is well-formed. */
  readonly extensions: readonly Extension[];
  /** subjectKeyIdentifier. */
  readonly skid: Buffer | undefined;
  /** keyIdentifier of authorityKeyIdentifier. */
  readonly akid: Buffer | undefined;
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: readonly KeyUsageName[] | undefined;
  /** Dotted OIDs. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectAltName: readonly GeneralName[] | undefined;
}

const VERSION_3 = contextExplicit(0, integer(2));
const MIN_SERIAL_OCTETS = 8;
const MAX_SERIAL_OCTETS = 20;
const MAX_TBS_OCTETS = 65_536;

function parseVersion(fields: DerCursor): void {
  const explicit = fields.optional(0xa0);
  if (explicit === undefined)
    throw new KmcError('E_CERT', 'Only version 3 certificates are accepted; this is version 1.');
  const inner = cursor(explicit);
  const version = readSmallInteger(inner.next(TAG.integer, 'version'));
  inner.end('version');
  if (version !== 2)
    throw new KmcError('E_CERT', `Only version 3 certificates are accepted; this is version ${version + 1}.`);
}

function parseValidity(element: DerElement): { notBefore: Date; notAfter: Date } {
  const fields = sequenceFields(element, 'validity');
  const notBefore = readTime(fields.any('notBefore'));
  const notAfter = readTime(fields.any('notAfter'));
  fields.end('validity');
  if (notAfter < notBefore) throw new KmcError('E_CERT', 'The certificate ends before it begins.');
  return { notBefore, notAfter };
}

function parseExtensionField(fields: DerCursor): Extension[] {
  const unique = fields.optional(0x81) ?? fields.optional(0x82);
  if (unique !== undefined) throw new KmcError('E_CERT', 'issuerUniqueID and subjectUniqueID are not accepted.');
  const explicit = fields.optional(0xa3);
  fields.end('TBSCertificate');
  if (explicit === undefined) return [];
  const inner = cursor(explicit);
  const list = inner.next(TAG.sequence, 'extensions');
  inner.end('extensions');
  return parseExtensions(list, 'E_CERT');
}

function extensionFields(
  extensions: readonly Extension[],
): Pick<TbsCertificate, 'skid' | 'akid' | 'basicConstraints' | 'keyUsage' | 'extendedKeyUsage' | 'subjectAltName'> {
  return {
    skid: readExtension(extensions, EXTENSIONS.subjectKeyIdentifier),
    akid: readExtension(extensions, EXTENSIONS.authorityKeyIdentifier)?.keyIdentifier,
    basicConstraints: readExtension(extensions, EXTENSIONS.basicConstraints),
    keyUsage: readExtension(extensions, EXTENSIONS.keyUsage),
    extendedKeyUsage: readExtension(extensions, EXTENSIONS.extendedKeyUsage),
    subjectAltName: readExtension(extensions, EXTENSIONS.subjectAltName),
  };
}

/**
 * Reads a TBSCertificate. Version 3 only; no unique identifiers; every known extension is checked. The serial number
 * may be one that RFC 5280 forbids, because old anchors have them: verifiers ask `isConformingSerialNumber`. Throws
 * `E_DER`, `E_SIZE`, `E_CERT`, for the public key `E_POINT` or `E_KEY`, and `E_SIGNATURE` for a signature algorithm that
 * is not accepted.
 */
export function parseTbsCertificate(tbs: Buffer | DerElement): TbsCertificate {
  const element = Buffer.isBuffer(tbs) ? decodeDer(tbs, { maxBytes: MAX_TBS_OCTETS }) : tbs;
  const fields = sequenceFields(element, 'TBSCertificate');
  parseVersion(fields);
  const serialNumber = serialNumberText(fields.next(TAG.integer, 'serialNumber'));
  const signatureAlgorithmDer = fields.next(TAG.sequence, 'signature').encoded;
  const issuer = parseName(fields.next(TAG.sequence, 'issuer'), 'E_CERT');
  const validity = parseValidity(fields.next(TAG.sequence, 'validity'));
  const subject = parseName(fields.next(TAG.sequence, 'subject'), 'E_CERT');
  const spki = fields.next(TAG.sequence, 'subjectPublicKeyInfo').encoded;
  const extensions = parseExtensionField(fields);
  return {
    tbs: element.encoded,
    serialNumber,
    signatureAlgorithm: signatureAlgorithmFromIdentifier(signatureAlgorithmDer).name,
    signatureAlgorithmDer,
    issuer,
    subject,
    ...validity,
    spki,
    keyAlgorithm: parseSpki(spki).algorithm,
    extensions,
    ...extensionFields(extensions),
  };
}

/**
 * TBSCertificate DER of a plan: version 3, AlgorithmIdentifier parameters as we write them, extensions in the given
 * order. Throws `E_CERT` for a serial number that is not positive or not of 8 to 20 octets as an INTEGER, `E_DER` for a
 * date that cannot be written.
 */
export function encodeTbsCertificate(plan: CertificatePlan): Buffer {
  const serialNumber = integer(plan.serialNumber);
  const octets = serialNumber.length - 2;
  if (plan.serialNumber.length < MIN_SERIAL_OCTETS || octets < MIN_SERIAL_OCTETS || octets > MAX_SERIAL_OCTETS) {
    throw new KmcError('E_CERT', `A serial number must have ${MIN_SERIAL_OCTETS} to ${MAX_SERIAL_OCTETS} octets.`);
  }
  return sequence(
    VERSION_3,
    serialNumber,
    SIGNATURE_ALGORITHMS[plan.signatureAlgorithm].identifier,
    plan.issuer,
    sequence(time(plan.notBefore), time(plan.notAfter)),
    plan.subject,
    plan.spki,
    contextExplicit(3, encodeExtensions(plan.extensions)),
  );
}
