/** OCSP answers signed before they are asked for. One counts only while the certificate is as it was when it was signed. */
import type { CertificateRow } from './certificates.ts';

export interface OcspAnswerRow {
  /** `sm3:<hex>` of the CertID, DER: what a request names a certificate by. */
  readonly certIdSm3: string;
  readonly certificateId: string;
  /** Last audit event of the certificate at that moment: any later change of it makes the answer void. */
  readonly statusEvent: string;
  /** OCSPResponse, DER. */
  readonly response: Buffer;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

/** What an answer says of a certificate, without its octets. */
export type StatusRow = Pick<
  CertificateRow,
  'id' | 'serialNumber' | 'status' | 'revokedAt' | 'reason' | 'lastAuditEvent'
>;

/** Certificates of an authority that need an answer. */
export interface UnansweredFilter {
  readonly authorityId: string;
  /** Those that have not ended by then. */
  readonly at: Date;
  /** Answers from before this time are to be replaced. */
  readonly staleBefore: Date;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface OcspAnswerReader {
  /** The answer that is current at `at`: not over, and the certificate unchanged since. */
  current(certIdSm3: string, at: Date): Promise<OcspAnswerRow | undefined>;
  /** Certificates without a fresh answer, in the order of ids. */
  unanswered(filter: UnansweredFilter): Promise<StatusRow[]>;
}

export interface OcspAnswerWriter extends OcspAnswerReader {
  /** Puts an answer in the place of the one under the same CertID. */
  put(row: OcspAnswerRow): Promise<void>;
  /** Forgets answers that were over before `before`; at most `limit`. */
  purge(before: Date, limit: number): Promise<number>;
}
