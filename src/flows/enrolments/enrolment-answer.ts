import { asEnvelopedKey, envelopeFamilyOf, type EnvelopeFamily } from '../../domain/envelope-family.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { encodeCsrResponse } from '../../x509/csr-response.ts';
import { KmcError } from '../../errors.ts';
import { authorityLine } from '../authorities/authority-line.ts';
import type { Reader } from '../ports/database.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';

/** What a device gets that has one certificate, or asked for its signing certificate alone: everything DER. */
export interface SigningAnswer {
  readonly signCertificate: Buffer;
  /** The issuing CA, then the root. */
  readonly chain: readonly Buffer[];
}

/** What a device gets that has a pair: everything DER. */
export interface EnrolmentAnswer extends SigningAnswer {
  readonly encCertificate: Buffer;
  /** The encryption key in an envelope to the device's signing key, of the family below. */
  readonly envelopedKey: Buffer;
  readonly envelope: EnvelopeFamily;
  /** CSRResponse (GM/T 0092): certificates and envelope in one; its envelope is always SM2EnvelopedKey (GM/T 0009). */
  readonly csrResponse: Buffer;
  /** Version of the trust bundle that was the newest when this was issued; `0` while none was published. */
  readonly bundleVersion: string;
}

/** True for the answer of a pair. */
export function isPairAnswer(answer: SigningAnswer | EnrolmentAnswer): answer is EnrolmentAnswer {
  return 'envelopedKey' in answer;
}

/** The parts that make an answer; the same parts always make the same octets. */
export type AnswerParts = Pick<
  EnrolmentAnswer,
  'signCertificate' | 'encCertificate' | 'envelopedKey' | 'chain' | 'bundleVersion'
>;

/** Puts the answer together. */
export function enrolmentAnswer(parts: AnswerParts): EnrolmentAnswer {
  const { signCertificate, encCertificate, envelopedKey } = parts;
  const envelope = envelopeFamilyOf(envelopedKey);
  const packed =
    envelope === 'gmt-0009' ? envelopedKey : asEnvelopedKey(envelopedKey, parseCertificate(encCertificate).spki);
  const csrResponse = encodeCsrResponse({
    signCertificates: [signCertificate],
    encryption: { envelopedKey: packed, certificates: [encCertificate] },
  });
  return { ...parts, envelope, csrResponse };
}

/** The certificates (DER) of an authority and those above it, up to its root. @throws KmcError E_INTEGRITY. */
export async function authorityChain(reader: Reader, authorityId: string): Promise<Buffer[]> {
  return (await authorityLine(reader, authorityId)).map(({ certificate }) => certificate);
}

/**
 * The answer of an issued enrolment again, octet by octet.
 * @throws KmcError E_INTEGRITY when a part of it is missing.
 */
export async function storedAnswer(reader: Reader, row: EnrolmentRow): Promise<SigningAnswer | EnrolmentAnswer> {
  const { authorityId, encSerial, envelopedKey } = row;
  const signCertificate = await certificateOf(reader, row, row.signSerial);
  const chain = await authorityChain(reader, authorityId ?? '');
  if (encSerial === undefined) return { signCertificate, chain };
  if (envelopedKey === undefined) throw missingPart();
  return enrolmentAnswer({
    signCertificate,
    encCertificate: await certificateOf(reader, row, encSerial),
    envelopedKey,
    chain,
    bundleVersion: String(row.bundleVersion ?? 0),
  });
}

async function certificateOf(
  reader: Reader,
  { authorityId }: EnrolmentRow,
  serial: string | undefined,
): Promise<Buffer> {
  const isKnown = authorityId !== undefined && serial !== undefined;
  const row = isKnown ? await reader.certificates.findBySerial(authorityId, serial) : undefined;
  if (row?.certificate === undefined) throw missingPart();
  return row.certificate;
}

function missingPart(): KmcError {
  return new KmcError(
    'E_INTEGRITY',
    'An enrolment lacks a part of its answer. Stop the service and check the database.',
  );
}
