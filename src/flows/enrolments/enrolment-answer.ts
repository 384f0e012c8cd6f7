import { asEnvelopedKey, envelopeFamilyOf, type EnvelopeFamily } from '../../domain/envelope-family.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { encodeCsrResponse } from '../../x509/csr-response.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import type { EnrolmentRow } from '../ports/enrolments.ts';

/** What a device gets: everything DER. */
export interface EnrolmentAnswer {
  readonly signCertificate: Buffer;
  readonly encCertificate: Buffer;
  /** The encryption key in an envelope to the device's signing key, of the family below. */
  readonly envelopedKey: Buffer;
  readonly envelope: EnvelopeFamily;
  /** CSRResponse (GM/T 0092): certificates and envelope in one; its envelope is always SM2EnvelopedKey (GM/T 0009). */
  readonly csrResponse: Buffer;
  /** The issuing CA, then the root. */
  readonly chain: readonly Buffer[];
  /** Version of the trust bundle in force; `0` while none was published. */
  readonly bundleVersion: string;
}

/** The parts that make an answer; the same parts always make the same octets. */
export type AnswerParts = Pick<EnrolmentAnswer, 'signCertificate' | 'encCertificate' | 'envelopedKey' | 'chain'>;

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
  return { ...parts, envelope, csrResponse, bundleVersion: '0' };
}

/** Longest way from an issuing CA to its root. */
const MAX_CHAIN = 8;

/** The certificates (DER) of an authority and those above it, up to its root. @throws KmcError E_INTEGRITY. */
export async function authorityChain(reader: Reader, authorityId: string): Promise<Buffer[]> {
  const chain: Buffer[] = [];
  for (let id: string | undefined = authorityId; id !== undefined;) {
    const row = await reader.authorities.find(id);
    if (row === undefined || chain.length === MAX_CHAIN) {
      throw new KmcError('E_INTEGRITY', 'The chain of an authority does not end in a root. Check the authorities.');
    }
    chain.push(row.certificate);
    id = row.issuerId;
  }
  return chain;
}

/**
 * The answer of an issued enrolment again, octet by octet.
 * @throws KmcError E_INTEGRITY when a part of it is missing.
 */
export async function storedAnswer(reader: Reader, row: EnrolmentRow): Promise<EnrolmentAnswer> {
  const { authorityId, signSerial, encSerial, envelopedKey } = row;
  if (authorityId !== undefined && signSerial !== undefined && encSerial !== undefined && envelopedKey !== undefined) {
    const sign = await reader.certificates.findBySerial(authorityId, signSerial);
    const enc = await reader.certificates.findBySerial(authorityId, encSerial);
    if (sign?.certificate !== undefined && enc?.certificate !== undefined) {
      const chain = await authorityChain(reader, authorityId);
      return enrolmentAnswer({
        signCertificate: sign.certificate,
        encCertificate: enc.certificate,
        envelopedKey,
        chain,
      });
    }
  }
  throw new KmcError(
    'E_INTEGRITY',
    'An enrolment lacks a part of its answer. Stop the service and check the database.',
  );
}
