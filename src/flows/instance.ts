/** What the composition made of an instance: every flow takes the part of it that it names. */
import type { CryptoEngine } from '../crypto/engine.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { AuditLogPorts } from './audit/log/advance-audit-log.ts';
import type { LogSigner } from './audit/checkpoints/sign-checkpoint.ts';
import type { ServiceKeystore } from './keystore/service-keystore.ts';
import type { BackupFiles } from './ports/backup-files.ts';
import type { Clock, Database } from './ports/database.ts';
import type { DatabaseCopy } from './ports/database-copy.ts';

/** Id of the key that signs the checkpoints of the audit log, in the service keystore, and the profile of its certificate. */
export const AUDIT_LOG_KEY = 'audit-log';

/** The audit log of an instance, beside what flows append to it. */
export interface InstanceAudit {
  /** Name of the log. */
  readonly origin: string;
  /** The certificate of the log's key, DER; nothing before the first ceremony has made it. */
  certificate(): Promise<Buffer | undefined>;
  /** What sequencing and signing need; nothing before the first ceremony. */
  ports(): Promise<AuditLogPorts | undefined>;
  /** The log's key; nothing while the keystore is sealed. */
  signer(): Promise<LogSigner | undefined>;
}

export interface Instance {
  /** Id of the instance, e.g. `kmc-dev`. */
  readonly id: string;
  readonly environment: 'development' | 'production';
  /** `<environment>/<id>`: stands in every request and approval. */
  readonly environmentName: string;
  /** Name of this process among those that share the database. */
  readonly node: string;
  readonly database: Database;
  /** The whole of it, for backups. */
  readonly databaseCopy: DatabaseCopy;
  /** The files of the backups that this process makes. */
  readonly backupFiles: BackupFiles;
  readonly clock: Clock;
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
  /** `sm3:<hex>` of the policy set in force. */
  readonly policyDigest: string;
  readonly audit: InstanceAudit;
}
