/** CertificateList version 2 (RFC 5280 5.1, GM/T 0015): read strictly and within bounds, written by hand. */
import { SIGNATURE_ALGORITHMS, signatureAlgorithmFromIdentifier } from '../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../crypto/algorithms.ts';
import {
  contextExplicit,
  cursor,
  decodeDer,
  eachChild,
  integer,
  readSmallInteger,
  readTime,
  sequence,
  TAG,
  time,
} from '../crypto/asn1/der.ts';
import type { DerCursor, DerElement } from '../crypto/asn1/der.ts';
import { KmcError } from '../errors.ts';
import { encodeRevokedCertificate, parseRevokedCertificate } from './crl-entry.ts';
import type { ReadRevokedCertificate, RevokedCertificate } from './crl-entry.ts';
import type { IssuingDistributionPoint } from './extensions/crl.ts';
import { encodeExtensions, EXTENSIONS, parseExtensions, readExtension } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { parseName } from './name.ts';
import type { Name } from './name.ts';
import { sequenceFields } from './sequence-fields.ts';
import { encodeSignedObject, requireSameAlgorithm, splitSignedObject } from './signed-object.ts';

export type { RevokedCertificate, ReadRevokedCertificate } from './crl-entry.ts';

/** Room for some 25 entries to begin with. */
const FIRST_CAPACITY = 1024;

/** The entries of a CRL, written one by one as they come from a database: only their octets are kept. */
export class EncodedEntries {
  #octets = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;
  #count = 0;

  /** Writes all of them. */
  static of(entries: Iterable<RevokedCertificate>): EncodedEntries {
    const encoded = new EncodedEntries();
    for (const entry of entries) encoded.add(entry);
    return encoded;
  }

  get count(): number {
    return this.#count;
  }

  /** Throws `E_CERT` for a serial that is none, `E_DER` for a date that cannot be written. */
  add(entry: RevokedCertificate): void {
    const der = encodeRevokedCertificate(entry);
    const length = this.#length + der.length;
    if (length > this.#octets.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#octets.length * 2));
      this.#octets.copy(larger, 0, 0, this.#length);
      this.#octets = larger;
    }
    der.copy(this.#octets, this.#length);
    this.#length = length;
    this.#count += 1;
  }

  /** SEQUENCE OF the entries, DER; nothing when there are none (RFC 5280 5.1.2.6). */
  der(): readonly Buffer[] {
    return this.#count === 0 ? [] : [sequence(this.#octets.subarray(0, this.#length))];
  }
}

/** What a CRL is to say, ready to be written. */
export interface CrlPlan {
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** Name DER. */
  readonly issuer: Buffer;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** In the order in which they are to stand; the lint wants serial numbers strictly ascending. */
  readonly entries: Iterable<RevokedCertificate> | EncodedEntries;
  readonly extensions: readonly Extension[];
}

/** The fields of a TBSCertList as read. Buffers are views into the input. */
export interface TbsCertList {
  /** TBSCertList, DER: the octets that are signed. */
  readonly tbs: Buffer;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** The AlgorithmIdentifier as it stands, DER. */
  readonly signatureAlgorithmDer: Buffer;
  readonly issuer: Name;
  readonly thisUpdate: Date;
  /** Absent in some foreign CRLs only. */
  readonly nextUpdate: Date | undefined;
  /** In the order of the CRL. */
  readonly entries: readonly ReadRevokedCertificate[];
  readonly extensions: readonly Extension[];
  readonly crlNumber: bigint | undefined;
  /** keyIdentifier of authorityKeyIdentifier. */
  readonly akid: Buffer | undefined;
  readonly issuingDistributionPoint: IssuingDistributionPoint | undefined;
  /** The number of the complete CRL that a delta CRL starts from; absent on a complete CRL. */
  readonly deltaBase: bigint | undefined;
}

/** A CRL as read; its signature is not verified. */
export interface CertificateList extends TbsCertList {
  /** The whole CRL, DER. */
  readonly der: Buffer;
  /** The octets of the signature BIT STRING. */
  readonly signature: Buffer;
}

/** About 700,000 entries; far above any estate of this system, far below what would harm the process. */
const MAX_CRL_OCTETS = 33_554_432;
const VERSION_2 = integer(1);

function parseVersion(fields: DerCursor): void {
  const element = fields.optional(TAG.integer);
  const version = element === undefined ? 0 : readSmallInteger(element);
  if (version !== 1) throw new KmcError('E_CRL', `Only version 2 CRLs are accepted; this is version ${version + 1}.`);
}

function parseEntries(fields: DerCursor): ReadRevokedCertificate[] {
  const list = fields.optional(TAG.sequence);
  if (list === undefined) return [];
  const entries: ReadRevokedCertificate[] = [];
  for (const child of eachChild(list)) entries.push(parseRevokedCertificate(child));
  // RFC 5280 5.1.2.6: the list must be absent when there are no entries.
  if (entries.length === 0) throw new KmcError('E_CRL', 'The list of revoked certificates is there but empty.');
  return entries;
}

function parseExtensionField(fields: DerCursor): Extension[] {
  const explicit = fields.optional(0xa0);
  fields.end('TBSCertList');
  if (explicit === undefined) return [];
  const inner = cursor(explicit);
  const list = inner.next(TAG.sequence, 'crlExtensions');
  inner.end('crlExtensions');
  return parseExtensions(list, 'E_CRL');
}

/**
 * Reads a TBSCertList. Version 2 only; every known extension is checked; entries keep their order. Throws `E_SIZE` above
 * 32 MiB, `E_DER`, `E_CRL`, and `E_SIGNATURE` for a signature algorithm that is not accepted.
 */
export function parseTbsCertList(tbs: Buffer | DerElement): TbsCertList {
  const element = Buffer.isBuffer(tbs) ? decodeDer(tbs, { maxBytes: MAX_CRL_OCTETS }) : tbs;
  const fields = sequenceFields(element, 'TBSCertList');
  parseVersion(fields);
  const signatureAlgorithmDer = fields.next(TAG.sequence, 'signature').encoded;
  const issuer = parseName(fields.next(TAG.sequence, 'issuer'), 'E_CRL');
  const thisUpdate = readTime(fields.any('thisUpdate'));
  const nextElement = fields.optional(TAG.utcTime) ?? fields.optional(TAG.generalizedTime);
  const nextUpdate = nextElement === undefined ? undefined : readTime(nextElement);
  const entries = parseEntries(fields);
  const extensions = parseExtensionField(fields);
  return {
    tbs: element.encoded,
    signatureAlgorithm: signatureAlgorithmFromIdentifier(signatureAlgorithmDer).name,
    signatureAlgorithmDer,
    issuer,
    thisUpdate,
    nextUpdate,
    entries,
    extensions,
    crlNumber: readExtension(extensions, EXTENSIONS.crlNumber),
    akid: readExtension(extensions, EXTENSIONS.authorityKeyIdentifier)?.keyIdentifier,
    issuingDistributionPoint: readExtension(extensions, EXTENSIONS.issuingDistributionPoint),
    deltaBase: readExtension(extensions, EXTENSIONS.deltaCrlIndicator),
  };
}

/** TBSCertList DER of a plan. Throws `E_CERT` for a serial that is none, `E_DER` for a date that cannot be written. */
export function encodeTbsCertList(plan: CrlPlan): Buffer {
  const entries = plan.entries instanceof EncodedEntries ? plan.entries : EncodedEntries.of(plan.entries);
  return sequence(
    VERSION_2,
    SIGNATURE_ALGORITHMS[plan.signatureAlgorithm].identifier,
    plan.issuer,
    time(plan.thisUpdate),
    time(plan.nextUpdate),
    ...entries.der(),
    contextExplicit(0, encodeExtensions(plan.extensions)),
  );
}

/**
 * Reads a CRL and verifies nothing. Whether it is current, complete and of the right scope is for the verifier, who also
 * refuses entries with `unknownCritical`. Throws as `parseTbsCertList`.
 */
export function parseCertificateList(der: Buffer): CertificateList {
  const signed = splitSignedObject(der, 'CRL', MAX_CRL_OCTETS);
  const fields = parseTbsCertList(signed.tbs);
  requireSameAlgorithm(signed, fields.signatureAlgorithmDer, 'CRL');
  return { ...fields, der, signature: signed.signature };
}

/** CRL DER of a TBSCertList and its signature in X.509 form. */
export function assembleCertificateList(tbs: Buffer, algorithm: SignatureAlgorithmName, signature: Buffer): Buffer {
  return encodeSignedObject(tbs, SIGNATURE_ALGORITHMS[algorithm].identifier, signature);
}
