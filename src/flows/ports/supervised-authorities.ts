/** Certification authorities under supervision: what they are, where they publish, what was imported of them. */
import type {
  SupervisedState,
  SupervisedStanding,
  SupervisedStatus,
  Weakness,
} from '../../domain/supervised-authority.ts';
import type { Page } from './database.ts';

export interface SupervisedAuthorityRow {
  readonly id: string;
  /** Code of the region whose certificates it issues; 100000 for the national ones. */
  readonly region: string;
  readonly name: string;
  /** Name, DER. */
  readonly subject: Buffer;
  readonly spkiSm3: string;
  /** Its certificate, DER: what its certificates and CRLs are verified under. */
  readonly certificate: Buffer;
  readonly crlUrl: string;
  /** A certs-only PKCS#7 message; absent where it publishes none. */
  readonly certificatesUrl: string | undefined;
  readonly state: SupervisedState;
  /** Rises by one with every change and every import: two imports at once are not both based on the same. */
  readonly version: number;
  readonly registeredAt: Date;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

/** How the regular fetch went: no evidence, so it leaves no event. */
export interface SupervisedFetchRow {
  readonly authorityId: string;
  readonly triedAt: Date;
  readonly succeededAt: Date | undefined;
  /** Since the last success. */
  readonly failures: number;
  /** Code and text of the last failure. */
  readonly failure: string | undefined;
}

export interface SupervisedCertificateRow {
  readonly id: string;
  readonly authorityId: string;
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly certificateSm3: string;
  /** DER. */
  readonly certificate: Buffer;
  /** Name, DER. */
  readonly subject: Buffer;
  /** `SM2`, `RSA-2048`, … */
  readonly algorithm: string;
  readonly signatureAlgorithm: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly status: SupervisedStatus;
  readonly revokedAt: Date | undefined;
  readonly weaknesses: readonly Weakness[];
  /** Ids of lint rules that it breaks, errors alone. */
  readonly findings: readonly string[];
  readonly importedAt: Date;
  readonly lastAuditEvent: string;
}

export interface SupervisedCrlRow {
  readonly id: string;
  readonly authorityId: string;
  readonly number: bigint;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly crlSm3: string;
  /** DER. */
  readonly crl: Buffer;
  readonly entries: number;
  readonly importedAt: Date;
  readonly lastAuditEvent: string;
}

export interface SupervisedAuthorityFilter {
  readonly region?: string;
  readonly state?: SupervisedState;
}

export interface SupervisedCertificateFilter {
  readonly authorityId: string;
  readonly status?: SupervisedStatus;
}

/** How many certificates of one key algorithm there are. */
export interface SupervisedCount {
  readonly algorithm: string;
  /** Good and not expired. */
  readonly valid: number;
  readonly expired: number;
  /** On hold too. */
  readonly revoked: number;
  /** Of the valid ones: weak cryptography, and broken lint rules. */
  readonly weak: number;
  readonly faulty: number;
}

/** A certificate whose standing a CRL changes. */
export interface StandingChange extends SupervisedStanding {
  readonly id: string;
}

/** Of a certificate, what a CRL is held against. */
export interface StandingCertificate {
  readonly id: string;
  readonly serialNumber: string;
  readonly status: SupervisedStatus;
}

export interface SupervisedAuthorityReader {
  find(id: string): Promise<SupervisedAuthorityRow | undefined>;
  /** The active ones with that key. */
  findByKey(spkiSm3: string): Promise<SupervisedAuthorityRow | undefined>;
  list(filter: SupervisedAuthorityFilter, page: Page): Promise<SupervisedAuthorityRow[]>;
  fetchOf(authorityId: string): Promise<SupervisedFetchRow | undefined>;
  certificates(filter: SupervisedCertificateFilter, page: Page): Promise<SupervisedCertificateRow[]>;
  certificateBySerial(authorityId: string, serialNumber: string): Promise<SupervisedCertificateRow | undefined>;
  /** In the order of ids, without the octets of the certificates. */
  standing(authorityId: string, page: Page): Promise<StandingCertificate[]>;
  counts(authorityId: string, now: Date): Promise<SupervisedCount[]>;
  newestCrl(authorityId: string): Promise<SupervisedCrlRow | undefined>;
}

export interface SupervisedAuthorityWriter extends SupervisedAuthorityReader {
  /** False when the id, or an active authority with that key, is there already. */
  insert(row: SupervisedAuthorityRow): Promise<boolean>;
  /** Compare-and-set on the version; what stands in `row` besides id and key replaces what stood. */
  replace(row: SupervisedAuthorityRow, version: number): Promise<boolean>;
  /** Compare-and-set on the version of an active one: the frame of an import. */
  touch(id: string, version: number, at: Date, auditEvent: string): Promise<boolean>;
  /** @throws KmcError E_CONFLICT when one of them, or its serial number, is there already. */
  insertCertificates(rows: readonly SupervisedCertificateRow[]): Promise<void>;
  changeStanding(changes: readonly StandingChange[], auditEvent: string): Promise<void>;
  /** False when a CRL of that number is there already. */
  insertCrl(row: SupervisedCrlRow): Promise<boolean>;
  recordFetch(row: SupervisedFetchRow): Promise<void>;
}
