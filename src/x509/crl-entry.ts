/** One entry of revokedCertificates (RFC 5280 5.1.2.6 and 5.3). */
import { readGeneralizedTime, readTime, sequence, TAG, time } from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { CRL_REASONS } from './extensions/crl.ts';
import type { CrlReason } from './extensions/crl.ts';
import { encodeExtensions, extensionOf, EXTENSIONS, parseExtensions, readExtension } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { sequenceFields } from './sequence-fields.ts';
import { encodeSerialNumber, serialNumberText } from './serial-number.ts';

export interface RevokedCertificate {
  /** Lower-case hex, see `serialNumberText`. */
  readonly serialNumber: string;
  readonly revocationDate: Date;
  /** Absent when the entry has no reasonCode. */
  readonly reason?: CrlReason;
  readonly invalidityDate?: Date;
}

/** An entry as read, with what a verifier must know besides. */
export interface ReadRevokedCertificate extends RevokedCertificate {
  /** OID of a critical extension that is not understood; a CRL with one must not be used (RFC 5280 5.3). */
  readonly unknownCritical?: string;
  /** The entry names another certificate issuer: only indirect CRLs do. */
  readonly ofOtherIssuer?: true;
}

/** The extensions that belong to an entry; another critical one is not understood there. */
const ENTRY_EXTENSIONS: readonly string[] = [
  EXTENSIONS.reasonCode.oid,
  EXTENSIONS.invalidityDate.oid,
  EXTENSIONS.certificateIssuer.oid,
];

/** The Extensions of an entry that has only a reasonCode: the usual case, made once for each reason. */
const REASON_ONLY: ReadonlyMap<CrlReason, Buffer> = new Map(
  CRL_REASONS.map((reason) => [reason, encodeExtensions([extensionOf(EXTENSIONS.reasonCode, reason)])]),
);

const REASON_BY_EXTENSIONS: ReadonlyMap<string, CrlReason> = new Map(
  Array.from(REASON_ONLY, ([reason, extensions]) => [extensions.toString('latin1'), reason]),
);

function entryExtensions({ reason, invalidityDate }: RevokedCertificate): Buffer | undefined {
  if (invalidityDate === undefined) return reason === undefined ? undefined : REASON_ONLY.get(reason);
  const extensions: Extension[] = [];
  if (reason !== undefined) extensions.push(extensionOf(EXTENSIONS.reasonCode, reason));
  extensions.push(extensionOf(EXTENSIONS.invalidityDate, invalidityDate));
  return encodeExtensions(extensions);
}

/** Entry DER: serial, date, then reasonCode and invalidityDate where given. Throws `E_CERT` for a serial that is none. */
export function encodeRevokedCertificate(entry: RevokedCertificate): Buffer {
  const extensions = entryExtensions(entry);
  const serialNumber = encodeSerialNumber(entry.serialNumber);
  const date = time(entry.revocationDate);
  return extensions === undefined ? sequence(serialNumber, date) : sequence(serialNumber, date, extensions);
}

/**
 * Reads one entry. A revocationDate before 2050 may be a GeneralizedTime, because GmSSL writes it so. Throws `E_DER`, and
 * `E_CRL` for an extension that occurs twice.
 */
export function parseRevokedCertificate(element: DerElement): ReadRevokedCertificate {
  const fields = sequenceFields(element, 'an entry of a CRL');
  const serialNumber = serialNumberText(fields.next(TAG.integer, 'userCertificate'));
  const dateElement = fields.any('revocationDate');
  const revocationDate =
    dateElement.tag === TAG.generalizedTime ? readGeneralizedTime(dateElement) : readTime(dateElement);
  const extensionsElement = fields.optional(TAG.sequence);
  fields.end('an entry of a CRL');
  if (extensionsElement === undefined) return { serialNumber, revocationDate };
  const onlyReason = REASON_BY_EXTENSIONS.get(extensionsElement.encoded.toString('latin1'));
  if (onlyReason !== undefined) return { serialNumber, revocationDate, reason: onlyReason };
  return { serialNumber, revocationDate, ...parseEntryExtensions(extensionsElement) };
}

function parseEntryExtensions(
  extensionsElement: DerElement,
): Omit<ReadRevokedCertificate, 'serialNumber' | 'revocationDate'> {
  const extensions = parseExtensions(extensionsElement, 'E_CRL');
  const reason = readExtension(extensions, EXTENSIONS.reasonCode);
  const invalidityDate = readExtension(extensions, EXTENSIONS.invalidityDate);
  const unknown = extensions.find(({ oid, critical }) => critical && !ENTRY_EXTENSIONS.includes(oid));
  const ofOtherIssuer = extensions.some(({ oid }) => oid === EXTENSIONS.certificateIssuer.oid);
  return {
    ...(reason === undefined ? {} : { reason }),
    ...(invalidityDate === undefined ? {} : { invalidityDate }),
    ...(unknown === undefined ? {} : { unknownCritical: unknown.oid }),
    ...(ofOtherIssuer ? { ofOtherIssuer: true } : {}),
  };
}
