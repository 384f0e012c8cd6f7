/**
 * The unit of work. A flow reads through a Reader, and changes state only inside a transaction, through the writers that
 * the transaction hands it. Each noun has one member here and its contract in a file of its own beside this one.
 */
import type { ApplicationReader, ApplicationWriter } from './applications.ts';
import type { ApprovalReader, ApprovalWriter } from './approvals.ts';
import type { AuditAppender, AuditReader } from './audit.ts';
import type { CosignatureReader, CosignatureWriter } from './audit-cosignatures.ts';
import type { AuditIndexReader, AuditIndexWriter } from './audit-index.ts';
import type { AuthorityReader, AuthorityWriter } from './authorities.ts';
import type { BackupReader, BackupWriter } from './backups.ts';
import type { BlockedKeyReader, BlockedKeyWriter } from './blocked-keys.ts';
import type { BreakGlassReader, BreakGlassWriter } from './break-glass.ts';
import type { CaKmcExchangeReader, CaKmcExchangeWriter } from './ca-kmc-exchanges.ts';
import type { CertificateReader, CertificateWriter } from './certificates.ts';
import type { CommunicationCertificateReader, CommunicationCertificateWriter } from './communication-certificates.ts';
import type { ConsoleSessionReader, ConsoleSessionWriter } from './console-sessions.ts';
import type { CrlReader, CrlWriter } from './crls.ts';
import type { DeviceReportReader, DeviceReportWriter } from './device-reports.ts';
import type { DeviceReader, DeviceWriter } from './devices.ts';
import type { EnrolmentReader, EnrolmentWriter } from './enrolments.ts';
import type { EnrolmentTokenReader, EnrolmentTokenWriter } from './enrolment-tokens.ts';
import type { EscrowedKeyReader, EscrowedKeyWriter } from './escrowed-keys.ts';
import type { ExpirationReader, ExpirationWriter } from './expirations.ts';
import type { ExecutionReader, ExecutionWriter } from './executions.ts';
import type { FleetReader, FleetWriter } from './fleet.ts';
import type { IdempotencyReader, IdempotencyWriter } from './idempotency.ts';
import type { InstanceReader, InstanceWriter } from './instance.ts';
import type { KeyBatchReader, KeyBatchWriter } from './key-batches.ts';
import type { KeyFaultReader, KeyFaultWriter } from './key-faults.ts';
import type { KeyTombstoneReader, KeyTombstoneWriter } from './key-tombstones.ts';
import type { KeyUseReader, KeyUseWriter } from './key-uses.ts';
import type { ManagedKeyReader, ManagedKeyWriter } from './managed-keys.ts';
import type { KeystoreRowReader, KeystoreRowWriter } from './keystore-rows.ts';
import type { NonceWriter } from './nonces.ts';
import type { OcspAnswerReader, OcspAnswerWriter } from './ocsp-answers.ts';
import type { PeerChallengeReader, PeerChallengeWriter } from './peer-challenges.ts';
import type { PeopleReader, PeopleWriter } from './people.ts';
import type { RecoveryReader, RecoveryWriter } from './recoveries.ts';
import type { ReissueReader, ReissueWriter } from './reissues.ts';
import type { RegistrationAuthorityReader, RegistrationAuthorityWriter } from './registration-authorities.ts';
import type { RequestReader, RequestWriter } from './requests.ts';
import type { SupervisedAuthorityReader, SupervisedAuthorityWriter } from './supervised-authorities.ts';
import type { RootUpgradeReader, RootUpgradeWriter } from './root-upgrades.ts';
import type { SupervisionReader, SupervisionWriter } from './supervision.ts';
import type { TrustBundleReader, TrustBundleWriter } from './trust-bundles.ts';
import type { WorkCursorReader, WorkCursorWriter } from './work-cursors.ts';

/** The readers of all nouns. */
export interface Reader {
  readonly instance: InstanceReader;
  readonly people: PeopleReader;
  readonly keystoreRows: KeystoreRowReader;
  readonly requests: RequestReader;
  readonly applications: ApplicationReader;
  readonly approvals: ApprovalReader;
  readonly executions: ExecutionReader;
  readonly expirations: ExpirationReader;
  readonly idempotency: IdempotencyReader;
  readonly devices: DeviceReader;
  readonly deviceReports: DeviceReportReader;
  readonly enrolmentTokens: EnrolmentTokenReader;
  readonly enrolments: EnrolmentReader;
  readonly authorities: AuthorityReader;
  readonly certificates: CertificateReader;
  readonly communicationCertificates: CommunicationCertificateReader;
  readonly caKmcExchanges: CaKmcExchangeReader;
  readonly consoleSessions: ConsoleSessionReader;
  readonly crls: CrlReader;
  readonly ocspAnswers: OcspAnswerReader;
  readonly peerChallenges: PeerChallengeReader;
  readonly backups: BackupReader;
  readonly blockedKeys: BlockedKeyReader;
  readonly breakGlass: BreakGlassReader;
  readonly escrowedKeys: EscrowedKeyReader;
  readonly supervisedAuthorities: SupervisedAuthorityReader;
  readonly rootUpgrades: RootUpgradeReader;
  readonly supervision: SupervisionReader;
  readonly trustBundles: TrustBundleReader;
  readonly fleet: FleetReader;
  readonly reissues: ReissueReader;
  readonly keyBatches: KeyBatchReader;
  readonly keyFaults: KeyFaultReader;
  readonly keyTombstones: KeyTombstoneReader;
  readonly managedKeys: ManagedKeyReader;
  readonly managedKeyTombstones: KeyTombstoneReader;
  readonly keyUses: KeyUseReader;
  readonly recoveries: RecoveryReader;
  readonly registrationAuthorities: RegistrationAuthorityReader;
  readonly workCursors: WorkCursorReader;
  readonly audit: AuditReader;
  readonly auditIndex: AuditIndexReader;
  readonly cosignatures: CosignatureReader;
}

/** The writers of all nouns. A Transaction serves wherever a Reader does, and reads what it has written. */
export interface Transaction extends Reader {
  readonly instance: InstanceWriter;
  readonly people: PeopleWriter;
  readonly keystoreRows: KeystoreRowWriter;
  readonly requests: RequestWriter;
  readonly applications: ApplicationWriter;
  readonly approvals: ApprovalWriter;
  readonly executions: ExecutionWriter;
  readonly expirations: ExpirationWriter;
  readonly nonces: NonceWriter;
  readonly idempotency: IdempotencyWriter;
  readonly devices: DeviceWriter;
  readonly deviceReports: DeviceReportWriter;
  readonly enrolmentTokens: EnrolmentTokenWriter;
  readonly enrolments: EnrolmentWriter;
  readonly authorities: AuthorityWriter;
  readonly certificates: CertificateWriter;
  readonly communicationCertificates: CommunicationCertificateWriter;
  readonly caKmcExchanges: CaKmcExchangeWriter;
  readonly consoleSessions: ConsoleSessionWriter;
  readonly crls: CrlWriter;
  readonly ocspAnswers: OcspAnswerWriter;
  readonly peerChallenges: PeerChallengeWriter;
  readonly backups: BackupWriter;
  readonly blockedKeys: BlockedKeyWriter;
  readonly breakGlass: BreakGlassWriter;
  readonly escrowedKeys: EscrowedKeyWriter;
  readonly supervisedAuthorities: SupervisedAuthorityWriter;
  readonly rootUpgrades: RootUpgradeWriter;
  readonly supervision: SupervisionWriter;
  readonly trustBundles: TrustBundleWriter;
  readonly fleet: FleetWriter;
  readonly reissues: ReissueWriter;
  readonly keyBatches: KeyBatchWriter;
  readonly keyFaults: KeyFaultWriter;
  readonly keyTombstones: KeyTombstoneWriter;
  readonly managedKeys: ManagedKeyWriter;
  readonly managedKeyTombstones: KeyTombstoneWriter;
  readonly keyUses: KeyUseWriter;
  readonly recoveries: RecoveryWriter;
  readonly registrationAuthorities: RegistrationAuthorityWriter;
  readonly workCursors: WorkCursorWriter;
  readonly audit: AuditAppender;
  readonly auditIndex: AuditIndexWriter;
  readonly cosignatures: CosignatureWriter;
}

/**
 * Every method throws KmcError E_STORAGE when the database refuses or is gone (with `fatal` when what is on the medium
 * can no longer be known: seal and stop) and E_INTEGRITY when it is damaged.
 */
export interface Database {
  /** Reads outside of any transaction: each call sees everything that was committed when it began. */
  read<T>(work: (reader: Reader) => Promise<T>): Promise<T>;
  /** All reads of `work` see the same moment: for checks, exports and reports. */
  snapshot<T>(work: (reader: Reader) => Promise<T>): Promise<T>;
  /**
   * Runs `work` in one transaction and returns its result once everything it wrote is durable; when `work` throws, or
   * any statement in it failed, nothing of it stays. After a collision with another writer `work` runs again from the
   * start, for at most 5 s: it must have no effect outside of `tx`, and ids must be made before it. Nothing slow stands
   * in it (no signing, no network, no key generation): on SQLite all writers wait for it.
   * A lost connection at commit is E_STORAGE although the commit may have happened: ask again under the same
   * idempotency key.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

export interface Clock {
  now(): Date;
}

/** A part of a list, in the order of ids: at most `limit` rows (1 to 1,000) after the row with the id `after`. */
export interface Page {
  readonly limit: number;
  readonly after?: string;
}
