/** Applications, the certificates that they sign requests with, and what they may do with managed keys. */
import type { ApplicationStatus } from '../../domain/application.ts';
import type { KeyOperation } from '../../domain/managed-key.ts';
import type { Page } from './database.ts';

export interface ApplicationRow {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
  readonly status: ApplicationStatus;
  /** Rises by one with every change: of the row, of its certificates, of its grants. */
  readonly version: number;
  readonly registeredAt: Date;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

export interface KeyGrantRow {
  readonly applicationId: string;
  readonly keyId: string;
  /** In the order of the table; empty once everything was withdrawn. */
  readonly operations: readonly KeyOperation[];
  readonly version: number;
  readonly grantedAt: Date;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

export interface ApplicationReader {
  find(id: string): Promise<ApplicationRow | undefined>;
  list(page: Page): Promise<ApplicationRow[]>;
  /** The application of a certificate, by the id of the certificate. */
  ofCertificate(certificateId: string): Promise<ApplicationRow | undefined>;
  /** Ids of its certificates, the oldest first. */
  certificatesOf(applicationId: string): Promise<string[]>;
  grant(applicationId: string, keyId: string): Promise<KeyGrantRow | undefined>;
  grantsOf(applicationId: string): Promise<KeyGrantRow[]>;
  grantsOn(keyId: string): Promise<KeyGrantRow[]>;
}

export interface ApplicationWriter extends ApplicationReader {
  /** False when the id stands there already. */
  insert(row: ApplicationRow): Promise<boolean>;
  /** Compare-and-set on the version: the status, or nothing but the version. */
  move(id: string, from: number, to: ApplicationStatus, at: Date, auditEvent: string): Promise<boolean>;
  bindCertificate(certificateId: string, applicationId: string): Promise<void>;
  /** Inserts a grant of version 1, or replaces that of the version before. False when another change came first. */
  putGrant(row: KeyGrantRow): Promise<boolean>;
}
