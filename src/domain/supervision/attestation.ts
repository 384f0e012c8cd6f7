/**
 * The signature of a report: an auditor attests the digests of its files ("KMC-ATTEST-V1", role table D.3) with a personal
 * SM2 key, beside the files and apart from the service that computed them. It verifies with the certificate alone.
 */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import {
  type MemberCheck,
  oneOf,
  requireMembers,
  signedBytes,
  signedTimeText,
  sm3Text,
  textLike,
} from '../signed-body.ts';
import { PERSONALLY_SIGNED, verifyPersonalSignature, type PersonallySigned } from '../personal-signature.ts';

const SCHEMA = 'kmc.supervision-attestation/1';

export interface AttestationBody {
  readonly schema: typeof SCHEMA;
  readonly month: string;
  /** `sm3:<hex>` of the files. */
  readonly json: string;
  readonly csv: string;
  readonly html: string;
  /** `sm3:<hex>` of the signer's certificate. */
  readonly certSm3: string;
  readonly signedAt: string;
}

export type SignedAttestation = PersonallySigned<AttestationBody>;

/** The files of a report, as octets. */
export interface ReportFiles {
  readonly json: Buffer;
  readonly csv: Buffer;
  readonly html: Buffer;
}

const BODY: Readonly<Record<keyof AttestationBody, MemberCheck>> = {
  schema: oneOf([SCHEMA]),
  month: textLike(/^\d{4}-\d{2}$/, 'a month'),
  json: sm3Text,
  csv: sm3Text,
  html: sm3Text,
  certSm3: sm3Text,
  signedAt: signedTimeText,
};

function digestOf(file: Buffer): string {
  return `sm3:${sm3(file).toString('hex')}`;
}

/** What is signed of the files of a month's report. `certificate` is the signer's, DER. */
export function attestationBody(
  month: string,
  files: ReportFiles,
  by: { readonly certificate: Buffer; readonly signedAt: string },
): AttestationBody {
  const { json, csv, html } = files;
  const digests = { json: digestOf(json), csv: digestOf(csv), html: digestOf(html) };
  return { schema: SCHEMA, month, ...digests, certSm3: sm3Fingerprint(by.certificate), signedAt: by.signedAt };
}

/** The bytes that are signed: "KMC-ATTEST-V1" 0x00 || JCS(body). */
export function attestationBytes(body: AttestationBody): Buffer {
  return signedBytes('attestation', body);
}

/**
 * Checks an attestation of the report's JSON file. Whether the certificate is an auditor's, its path and the log say.
 * @returns the signer's certificate.
 * @throws KmcError E_SCHEMA, what `verifyPersonalSignature` throws, and E_STALE for another file than the one that was signed.
 */
export function verifyAttestation(value: unknown, json: Buffer): Certificate {
  requireMembers<SignedAttestation>(value, PERSONALLY_SIGNED, 'attestation');
  requireMembers<AttestationBody>(value.body, BODY, 'body of an attestation');
  const certificate = verifyPersonalSignature('attestation', value, 'attestation');
  if (digestOf(json) === value.body.json) return certificate;
  throw new KmcError('E_STALE', 'The report is not the one that was signed.');
}
