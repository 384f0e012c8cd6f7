/** The inventory of certificates: issued here, or imported with a legacy authority (A.7). */
import type { Page } from './database.ts';

/**
 * `reserved` is the intent: the serial is taken, nothing is signed yet. `aborted` is an intent without a certificate;
 * its serial is never used again. Both are no certificates: OCSP and CRL know nothing of them.
 */
export type CertificateStatus = 'reserved' | 'aborted' | 'good' | 'on-hold' | 'revoked';

/** CRLReason names of RFC 5280 5.3.1. */
export type RevocationReason =
  | 'unspecified'
  | 'keyCompromise'
  | 'cACompromise'
  | 'affiliationChanged'
  | 'superseded'
  | 'cessationOfOperation'
  | 'certificateHold'
  | 'privilegeWithdrawn'
  | 'aACompromise';

export interface CertificateRow {
  readonly id: string;
  readonly authorityId: string;
  /** Lower-case hex of the INTEGER's content octets; unique per authority, imported ones included. */
  readonly serialNumber: string;
  readonly status: CertificateStatus;
  /** Name, DER. */
  readonly subject: Buffer;
  readonly spkiSm3: string;
  readonly profile: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Absent while reserved, when aborted, and for imported ones of which only the inventory line is known. */
  readonly certificate: Buffer | undefined;
  /** `sm3:<hex>` and `sha256:<hex>` of the certificate: the two ways a caller names its certificate. */
  readonly certificateSm3: string | undefined;
  readonly certificateSha256: string | undefined;
  readonly source: 'issued' | 'imported';
  /** The two certificates of one dual enrolment share it. */
  readonly pairId: string | undefined;
  readonly deviceId: string | undefined;
  /** CRL shard, fixed at issuance as it stands in the certificate; a region code. */
  readonly shard: string | undefined;
  readonly revokedAt: Date | undefined;
  readonly reason: RevocationReason | undefined;
  readonly invalidityDate: Date | undefined;
  readonly createdAt: Date;
  readonly lastAuditEvent: string;
}

/** What a CRL says of one certificate. */
export interface RevokedEntry {
  readonly serialNumber: string;
  readonly revokedAt: Date;
  readonly reason: RevocationReason;
  readonly invalidityDate: Date | undefined;
}

/** A revoked or on-hold certificate of the inventory. */
export interface RevokedRow extends RevokedEntry {
  readonly notAfter: Date;
}

/** A part of the revoked certificates of an authority, in the order of a CRL: serial numbers as numbers, ascending. */
export interface RevokedPage {
  /** 1 to 1,000. */
  readonly limit: number;
  /** Only those of this shard. */
  readonly shard?: string;
  /** Those with a greater serial number. */
  readonly after?: string;
}

export interface CertificateFilter {
  readonly authorityId?: string;
  readonly deviceId?: string;
  readonly status?: CertificateStatus;
  readonly profile?: string;
  readonly pairId?: string;
}

export interface CertificateCount {
  readonly authorityId: string;
  readonly profile: string;
  readonly status: CertificateStatus;
  readonly count: number;
}

/** The bytes and digests that fill a reservation. */
export interface FinishedCertificate {
  readonly certificate: Buffer;
  readonly certificateSm3: string;
  readonly certificateSha256: string;
}

export interface CertificateReader {
  find(id: string): Promise<CertificateRow | undefined>;
  findBySerial(authorityId: string, serialNumber: string): Promise<CertificateRow | undefined>;
  /** `digest` is `sm3:<hex>` or `sha256:<hex>` of the certificate. */
  findByDigest(digest: string): Promise<CertificateRow | undefined>;
  /** Every certificate over that key, whatever its status: for the "already bound" check on CSRs. */
  findByKey(spkiSm3: string): Promise<CertificateRow[]>;
  list(filter: CertificateFilter, page: Page): Promise<CertificateRow[]>;
  revoked(authorityId: string, page: RevokedPage): Promise<RevokedRow[]>;
  /** True when a certificate of a device with one of these profiles was revoked, or put on hold, after `since`. */
  wasRevokedSince(authorityId: string, since: Date, deviceProfiles: readonly string[]): Promise<boolean>;
  /** Reservations from before `before`: for the reconciler. */
  staleReservations(before: Date, limit: number): Promise<CertificateRow[]>;
  counts(): Promise<CertificateCount[]>;
}

export interface CertificateWriter extends CertificateReader {
  /** False when the id, or the serial under that authority, stands there already. */
  insert(row: CertificateRow): Promise<boolean>;
  /** All or nothing. @throws KmcError E_CONFLICT when one of them stands there already. */
  insertAll(rows: readonly CertificateRow[]): Promise<void>;
  /** `reserved` to `good`. False when it is not reserved. */
  finish(id: string, finished: FinishedCertificate, auditEvent: string): Promise<boolean>;
  /** `reserved` to `aborted`. False when it is not reserved. */
  abort(id: string, auditEvent: string): Promise<boolean>;
  /** `good` or `on-hold` (`from`) to `revoked`, or `good` to `on-hold` with reason `certificateHold`. Compare-and-set on the status. */
  revoke(
    id: string,
    from: 'good' | 'on-hold',
    entry: Omit<RevokedEntry, 'serialNumber'>,
    auditEvent: string,
  ): Promise<boolean>;
  /** `on-hold` to `good`. False when it is not on hold. */
  release(id: string, auditEvent: string): Promise<boolean>;
}
