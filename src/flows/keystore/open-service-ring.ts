/** From the unseal key to the open service keystore: keys, MACs, epochs, and the completion of a change that was cut. */
import type { CryptoEngine, SecretHandle } from '../../crypto/engine.ts';
import { judgeEpochs, type EpochVerdict } from '../../domain/keystore/epoch-verdict.ts';
import { journalMacInput, type JournalRecord } from '../../domain/keystore/journal-record.ts';
import { manifestMacInput } from '../../domain/keystore/manifest.ts';
import { KmcError } from '../../errors.ts';
import type { Database } from '../ports/database.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import type { SealedKekRow } from '../ports/keystore-rows.ts';
import { applyDatabaseStep, discardChange, finishChange } from './commit-change.ts';
import { inspectKeystore, type InspectedKeystore } from './inspect-keystore.ts';
import { KeyRing } from './key-ring.ts';
import { keystoreAuditState } from './keystore-audit-state.ts';
import { openKekRows } from './open-kek-rows.ts';

interface OpenServicePorts {
  readonly engine: CryptoEngine;
  readonly database: Database;
  readonly files: KeystoreFiles;
}

type StoredKek = Omit<SealedKekRow, 'state'>;

/**
 * Opens master key and key-encryption keys, checks the MAC of the manifest, judges the epochs (security-and-faults 2.4)
 * and completes or drops what a crash left.
 * @param setId of the shares that were given.
 * @param unsealKey what the shares made; the caller destroys it.
 * @returns the open ring and its epoch.
 * @throws KmcError E_ROLLBACK, E_INTEGRITY (the keystore contradicts itself); E_CONFLICT (the share set was replaced
 * meanwhile, or another process is at it); E_STORAGE, E_AUDIT.
 */
export function openServiceRing(
  ports: OpenServicePorts,
  setId: string,
  unsealKey: SecretHandle,
): Promise<{ ring: KeyRing; epoch: number }> {
  return ports.files.exclusively(() => openAlone(ports, setId, unsealKey));
}

async function openAlone(
  { engine, database, files }: OpenServicePorts,
  setId: string,
  unsealKey: SecretHandle,
): Promise<{ ring: KeyRing; epoch: number }> {
  const inspected = inspectKeystore(files);
  if (inspected === undefined) {
    throw new KmcError('E_INTEGRITY', 'The manifest of the keystore is missing. Restore it.');
  }
  if (inspected.seal.set.setId !== setId) {
    throw new KmcError('E_CONFLICT', 'The share set was replaced meanwhile; begin again with the new shares.');
  }
  const { verdict, rows } = await judge(database, inspected);
  const ring = await KeyRing.open(engine, inspected.seal, unsealKey);
  try {
    const { record } = inspected;
    await openKekRows(ring, files, verdict === 'resume' ? rowsAfter(rows, record) : rows);
    await checkMacs(ring, inspected, verdict);
    if (record !== undefined) await settle(database, files, record, verdict);
    return { ring, epoch: inspected.manifest.body.epoch };
  } catch (error) {
    ring.wipe();
    throw error;
  }
}

async function judge(
  database: Database,
  { manifest, digest, record }: InspectedKeystore,
): Promise<{ verdict: EpochVerdict; rows: readonly StoredKek[] }> {
  const found = await database.snapshot(async (reader) => ({
    database: await reader.instance.keystoreEpoch(),
    audit: await keystoreAuditState(reader.audit),
    rows: await reader.keystoreRows.keks(),
  }));
  const verdict = judgeEpochs({
    file: manifest.body.epoch,
    database: found.database,
    audit: found.audit.epoch,
    auditNamesManifest: found.audit.manifest === digest,
    ...(record === undefined
      ? {}
      : { journal: { toEpoch: record.body.toEpoch, namesManifest: record.body.manifest === digest } }),
  });
  return { verdict, rows: found.rows };
}

/** The rows as they will be once the database step of the record is done. */
function rowsAfter(rows: readonly StoredKek[], record: JournalRecord | undefined): StoredKek[] {
  const steps = (record?.body.database?.keks ?? []).map(({ replaces, ...step }): StoredKek => {
    return { ...step, objectVersion: replaces + 1 };
  });
  const isReplaced = (row: StoredKek): boolean =>
    steps.some((step) => step.purpose === row.purpose && step.version === row.version);
  return [...rows.filter((row) => !isReplaced(row)), ...steps];
}

async function checkMacs(ring: KeyRing, inspected: InspectedKeystore, verdict: EpochVerdict): Promise<void> {
  const { manifest, record } = inspected;
  const { body, mac } = manifest;
  await ring.verifyMac('The manifest of the keystore', body.macVersion, manifestMacInput(body), mac);
  // The record of a discarded change was made with keys that nobody has; only unlisted files go with it.
  if (record === undefined || verdict === 'open-discard') return;
  const what = 'The journal record of the keystore';
  await ring.verifyMac(what, record.body.macVersion, journalMacInput(record.body), record.mac);
}

async function settle(
  database: Database,
  files: KeystoreFiles,
  { body }: JournalRecord,
  verdict: EpochVerdict,
): Promise<void> {
  if (verdict === 'open-discard') return discardChange(files, body);
  if (verdict === 'resume') await database.transaction((tx) => applyDatabaseStep(tx, body));
  finishChange(files, body);
}
