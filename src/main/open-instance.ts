/** Puts an instance together from its folder: policies, database, keystore files, engine, audit log. */
import { join } from 'node:path';
import { environmentName, type Environment } from '../config/environment.ts';
import { loadPolicies } from '../config/policies.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { policyDigest } from '../domain/policy.ts';
import { KmcError } from '../errors.ts';
import type { AuditLogPorts } from '../flows/audit/log/advance-audit-log.ts';
import { CheckpointSight } from '../flows/audit/checkpoints/checkpoint-sight.ts';
import { OutstandingReceipts } from '../flows/audit/receipts/outstanding-receipts.ts';
import { createRowMac, type AuditMacKeys } from '../flows/audit/events/row-mac.ts';
import { trackReceipts } from '../flows/audit/receipts/track-receipts.ts';
import { AUDIT_LOG_KEY, type Instance, type InstanceAudit } from '../flows/instance.ts';
import { ServiceKeystore } from '../flows/keystore/service-keystore.ts';
import type { Clock, Database } from '../flows/ports/database.ts';
import { createBackupFolder } from '../keystore/backup-folder.ts';
import { createAuditSignerState } from '../keystore/audit-signer-state.ts';
import { makePrivateDirectory } from '../keystore/durable-file.ts';
import { openFileKeystore } from '../keystore/file-keystore.ts';
import { openDatabase, type KmcDatabase } from '../store/database.ts';
import { AUDIT_SIGNER_FOLDER, checkHome } from './home-folder.ts';
import { openEngine } from './open-engine.ts';

export interface OpenedInstance extends Instance {
  /** The database itself, for readiness checks. */
  readonly store: KmcDatabase;
  /** Seals, gives the lock of the keystore back, closes the database. */
  close(): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = { now: () => new Date() };

/** Audit MAC keys of a keystore that is opened after the database that needs them. */
function macKeysOf(keystore: () => ServiceKeystore | undefined): AuditMacKeys {
  const open = () => {
    const present = keystore();
    return present?.state === 'UNSEALED' ? present : undefined;
  };
  return {
    current: () => open()?.currentKek('audit-mac'),
    version: (version) => open()?.ringForChange().kek('audit-mac', version),
  };
}

interface AuditParts {
  readonly environment: Environment;
  readonly engine: CryptoEngine;
  readonly store: KmcDatabase;
  readonly keystore: ServiceKeystore;
  readonly rowMac: AuditLogPorts['rowMac'];
  readonly outstanding: OutstandingReceipts;
  readonly seen: { sight: CheckpointSight | undefined };
}

async function logCertificate(database: Database): Promise<Buffer | undefined> {
  return await database.read(async (reader) => {
    const key = await reader.keystoreRows.caKey(AUDIT_LOG_KEY);
    if (key === undefined) return undefined;
    const rows = await reader.certificates.findByKey(key.spkiSm3);
    return rows.find((row) => row.status === 'good')?.certificate;
  });
}

function auditOf(parts: AuditParts): InstanceAudit {
  const { environment, engine, store, keystore, rowMac, outstanding, seen } = parts;
  const { origin } = environment;
  let ports: AuditLogPorts | undefined;
  return {
    origin,
    certificate: () => logCertificate(store),
    async ports() {
      const key = await store.read((reader) => reader.keystoreRows.caKey(AUDIT_LOG_KEY));
      if (key === undefined) return undefined;
      seen.sight ??= new CheckpointSight({ name: origin, signer: 'log', spki: key.spki });
      const signerState = createAuditSignerState(join(environment.home, AUDIT_SIGNER_FOLDER));
      const { auditLog } = store;
      ports ??= {
        database: store,
        auditLog,
        signerState,
        engine,
        clock: SYSTEM_CLOCK,
        rowMac,
        sight: seen.sight,
        outstanding,
      };
      return ports;
    },
    async signer() {
      if (!environment.auditSigner || keystore.state !== 'UNSEALED') return undefined;
      return { origin, key: await keystore.caKey(AUDIT_LOG_KEY) };
    },
  };
}

export interface Opening {
  /** The engine that made the keys which the instance is to work with; one of its own unless given. */
  readonly engine?: CryptoEngine;
  /** By the restore that fills it: nobody else may open it before that is done. */
  readonly isRestoring?: boolean;
}

/** What a restore was cut in has not yet given up what may have been given out twice. @throws KmcError E_STATE. */
async function requireFinishedRestore(store: Database): Promise<void> {
  const open = await store.read((reader) => reader.backups.openRestoration());
  if (open === undefined) return;
  throw new KmcError('E_STATE', 'A restore into this database was interrupted. Run kmc backup restore again.');
}

/**
 * Opens the instance of an environment; its folder is made when it is not there. The keystore is sealed afterwards.
 * @throws KmcError E_CONFIG, E_LINT (policy), E_STORAGE, E_INTEGRITY, E_CONFLICT while another process has it open,
 * E_SELF_TEST; E_STATE for one whose restore was interrupted.
 */
export async function openInstance(environment: Environment, opening: Opening = {}): Promise<OpenedInstance> {
  checkHome(environment);
  const { set: policies } = loadPolicies(environment.policies, environment.environment);
  const engine = opening.engine ?? openEngine(environment);
  await engine.selfTest();
  makePrivateDirectory(environment.home);
  let keystore: ServiceKeystore | undefined;
  const rowMac = createRowMac(
    engine,
    macKeysOf(() => keystore),
  );
  const seen: AuditParts['seen'] = { sight: undefined };
  const outstanding = new OutstandingReceipts();
  const store = await openDatabase({
    url: environment.database,
    excludedRoles: policies.exclusions,
    audit: { origin: environment.origin, rowMac, verified: { newest: (at) => seen.sight?.newest(at) } },
  });
  try {
    if (opening.isRestoring !== true) await requireFinishedRestore(store);
    const database = trackReceipts(store, outstanding, SYSTEM_CLOCK);
    const files = openFileKeystore(join(environment.home, 'service'), 'service');
    const opened = new ServiceKeystore({ engine, database, files });
    keystore = opened;
    return {
      id: environment.instance,
      environment: environment.environment,
      environmentName: environmentName(environment),
      node: environment.node,
      database,
      databaseCopy: store.copy,
      backupFiles: createBackupFolder(environment.backups),
      clock: SYSTEM_CLOCK,
      engine,
      keystore: opened,
      policies,
      policyDigest: policyDigest(policies),
      audit: auditOf({ environment, engine, store, keystore: opened, rowMac, outstanding, seen }),
      store,
      async close() {
        opened.seal();
        files.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error instanceof KmcError
      ? error
      : new KmcError('E_INTERNAL', 'The instance cannot be opened.', { cause: error });
  }
}
