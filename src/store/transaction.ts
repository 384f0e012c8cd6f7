/** The stores of one unit of work: one member for each noun of the ports. */
import type { Reader, Transaction } from '../flows/ports/database.ts';
import { StoredApplications } from './applications.ts';
import { StoredApprovals } from './approvals.ts';
import { StoredAudit, type AuditSettings } from './audit-events.ts';
import { StoredCosignatures } from './audit-cosignatures.ts';
import { StoredAuditIndex } from './audit-index.ts';
import { StoredAuthorities } from './authorities.ts';
import { StoredBackups } from './backups.ts';
import { StoredBlockedKeys } from './blocked-keys.ts';
import { StoredBreakGlass } from './break-glass.ts';
import { StoredCaKmcExchanges } from './ca-kmc-exchanges.ts';
import { StoredCertificates } from './certificates.ts';
import { StoredCommunicationCertificates } from './communication-certificates.ts';
import { StoredConsoleSessions } from './console-sessions.ts';
import { StoredCrls } from './crls.ts';
import { StoredDeviceReports } from './device-reports.ts';
import { StoredDevices } from './devices.ts';
import { StoredEnrolmentTokens } from './enrolment-tokens.ts';
import { StoredEnrolments } from './enrolments.ts';
import { StoredEscrowedKeys } from './escrowed-keys.ts';
import { StoredExecutions } from './executions.ts';
import { StoredExpirations } from './expirations.ts';
import { StoredFleet } from './fleet.ts';
import { StoredIdempotency } from './idempotency.ts';
import { StoredInstance } from './instance.ts';
import { StoredKeyBatches } from './key-batches.ts';
import { StoredKeyFaults } from './key-faults.ts';
import { StoredKeyTombstones } from './key-tombstones.ts';
import { StoredKeyUses } from './key-uses.ts';
import { StoredKeystoreRows } from './keystore-rows.ts';
import { StoredManagedKeys } from './managed-keys.ts';
import { StoredNonces } from './nonces.ts';
import { StoredOcspAnswers } from './ocsp-answers.ts';
import { StoredPeerChallenges } from './peer-challenges.ts';
import { StoredPeople } from './people.ts';
import { StoredRecoveries } from './recoveries.ts';
import { StoredReissues } from './reissues.ts';
import { StoredRegistrationAuthorities } from './registration-authorities.ts';
import { StoredRequests } from './requests.ts';
import type { Sql } from './sql.ts';
import { StoredSupervisedAuthorities } from './supervised-authorities.ts';
import { StoredRootUpgrades } from './root-upgrades.ts';
import { StoredSupervision } from './supervision.ts';
import { StoredTrustBundles } from './trust-bundles.ts';
import { StoredWorkCursors } from './work-cursors.ts';

/** `audit` is absent where nothing is appended: readers, and tools that only look. */
export function transactionOn(sql: Sql, audit?: AuditSettings): Transaction {
  return {
    instance: new StoredInstance(sql),
    people: new StoredPeople(sql),
    keystoreRows: new StoredKeystoreRows(sql),
    requests: new StoredRequests(sql),
    applications: new StoredApplications(sql),
    approvals: new StoredApprovals(sql),
    executions: new StoredExecutions(sql),
    expirations: new StoredExpirations(sql),
    nonces: new StoredNonces(sql),
    idempotency: new StoredIdempotency(sql),
    devices: new StoredDevices(sql),
    deviceReports: new StoredDeviceReports(sql),
    enrolmentTokens: new StoredEnrolmentTokens(sql),
    enrolments: new StoredEnrolments(sql),
    authorities: new StoredAuthorities(sql),
    certificates: new StoredCertificates(sql),
    communicationCertificates: new StoredCommunicationCertificates(sql),
    caKmcExchanges: new StoredCaKmcExchanges(sql),
    consoleSessions: new StoredConsoleSessions(sql),
    crls: new StoredCrls(sql),
    ocspAnswers: new StoredOcspAnswers(sql),
    peerChallenges: new StoredPeerChallenges(sql),
    backups: new StoredBackups(sql),
    blockedKeys: new StoredBlockedKeys(sql),
    breakGlass: new StoredBreakGlass(sql),
    escrowedKeys: new StoredEscrowedKeys(sql),
    supervisedAuthorities: new StoredSupervisedAuthorities(sql),
    rootUpgrades: new StoredRootUpgrades(sql),
    supervision: new StoredSupervision(sql),
    trustBundles: new StoredTrustBundles(sql),
    fleet: new StoredFleet(sql),
    reissues: new StoredReissues(sql),
    keyBatches: new StoredKeyBatches(sql),
    keyFaults: new StoredKeyFaults(sql),
    keyTombstones: new StoredKeyTombstones(sql, 'escrowed'),
    managedKeys: new StoredManagedKeys(sql),
    managedKeyTombstones: new StoredKeyTombstones(sql, 'managed'),
    keyUses: new StoredKeyUses(sql),
    recoveries: new StoredRecoveries(sql),
    registrationAuthorities: new StoredRegistrationAuthorities(sql),
    workCursors: new StoredWorkCursors(sql),
    audit: new StoredAudit(sql, audit),
    auditIndex: new StoredAuditIndex(sql),
    cosignatures: new StoredCosignatures(sql),
  };
}

/** The same stores seen as readers: the types keep a reader from writing, and SQLite's readers cannot. */
export function readerOn(sql: Sql): Reader {
  return transactionOn(sql);
}
