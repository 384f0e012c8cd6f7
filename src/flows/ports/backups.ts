/** Backups that were made here, and the restores that this database went through. */

/** `made` counts for nothing until it was read back whole. */
export type BackupState = 'made' | 'verified';

export interface BackupRow {
  readonly id: string;
  readonly requestId: string;
  readonly state: BackupState;
  /** The moment that it shows. */
  readonly takenAt: Date;
  readonly expiresAt: Date;
  /** Octets of the file. */
  readonly size: number;
  /** `sm3:<hex>` of everything that its signature covers. */
  readonly contentSm3: string;
  readonly keystoreEpoch: number;
  /** The share set that opens it. */
  readonly setId: string;
  /** Name of the process whose folder it was written to. */
  readonly node: string;
  readonly verifiedAt: Date | undefined;
  readonly lastAuditEvent: string;
}

/** A restore; the service starts on no database in which one is not finished. */
export interface RestorationRow {
  readonly id: string;
  readonly backupId: string;
  readonly takenAt: Date;
  /** Name of the audit log from then on, and before. */
  readonly origin: string;
  readonly previousOrigin: string;
  readonly begunAt: Date;
  readonly finishedAt: Date | undefined;
}

export interface BackupReader {
  find(id: string): Promise<BackupRow | undefined>;
  /** The newest first. */
  newest(limit: number): Promise<BackupRow[]>;
  /** How many were ever made. */
  count(): Promise<number>;
  /** How many that have not expired hold blobs under that key-encryption key, e.g. `escrow-store-1`. */
  countHolding(kek: string, at: Date): Promise<number>;
  /** The restore that is not finished. */
  openRestoration(): Promise<RestorationRow | undefined>;
  /** All of them, the oldest first. */
  restorations(): Promise<RestorationRow[]>;
}

export interface BackupWriter extends BackupReader {
  /** False when it stands there already. @param keks the key-encryption keys under which its blobs stand. */
  insert(row: BackupRow, keks: readonly string[]): Promise<boolean>;
  /** `made` to `verified`; also when it is verified again. False when there is no such backup. */
  verify(id: string, at: Date, auditEvent: string): Promise<boolean>;
  beginRestoration(row: Omit<RestorationRow, 'finishedAt'>): Promise<void>;
  /** False when it is finished. */
  finishRestoration(id: string, at: Date): Promise<boolean>;
}
