/**
 * The one order in which a keystore changes (security-and-faults 2.4): journal record, new files, manifest with the next
 * epoch, one database transaction, clearing up. After a cut at any place, the next unseal completes or drops the change.
 */
import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { manifestMacInput, compareFiles, decodeManifest, encodeManifest } from '../../domain/keystore/manifest.ts';
import { fileEntry, manifestDigest, type CheckValue, type FileEntry } from '../../domain/keystore/manifest.ts';
import { changeEvent } from '../../domain/keystore/keystore-event.ts';
import { encodeJournalRecord, journalMacInput } from '../../domain/keystore/journal-record.ts';
import type { ChangeEvent, DatabaseStep, JournalBody } from '../../domain/keystore/journal-record.ts';
import type { SealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import type { Database, Transaction } from '../ports/database.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import type { KeyRing } from './key-ring.ts';

export interface KeystoreChange {
  /** Id of the change, `newId('change')` or given by a ceremony. */
  readonly id: string;
  readonly instance: string;
  /** 0 when the keystore is made. */
  readonly fromEpoch: number;
  readonly adds: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly removes: readonly string[];
  readonly checkValues: readonly CheckValue[];
  /** The seal file that holds after the change. */
  readonly seal: SealFile;
  /** Present exactly for the service keystore. */
  readonly database?: DatabaseStep;
}

export interface ChangePorts {
  readonly files: KeystoreFiles;
  /** Present exactly for the service keystore. */
  readonly database?: Database;
}

/**
 * Makes a change durable, in files and database. Check that the database stands at `fromEpoch` before.
 * @param ring the keys that hold after the change: the MACs are made with its audit-mac key.
 * @throws KmcError E_STORAGE, E_AUDIT, E_CONFLICT (another node changed the keystore): the change may be half done, the
 * keystore has to be sealed, and the next unseal decides.
 */
export async function commitChange(ports: ChangePorts, ring: KeyRing, change: KeystoreChange): Promise<void> {
  const { files, database } = ports;
  const macVersion = ring.currentKek('audit-mac').version;
  const manifestBody = {
    instance: change.instance,
    kind: files.kind,
    epoch: change.fromEpoch + 1,
    change: change.id,
    files: filesAfter(files, change),
    checkValues: [...change.checkValues].sort((a, b) => (a.key < b.key ? -1 : 1)),
    macVersion,
  };
  const manifest = encodeManifest({ body: manifestBody, mac: await ring.mac(manifestMacInput(manifestBody)) });
  const body = journalBody(change, manifestDigest(manifest), macVersion);
  files.addJournal(body.toEpoch, encodeJournalRecord({ body, mac: await ring.mac(journalMacInput(body)) }));
  for (const { name, bytes } of change.adds) files.add(name, bytes);
  files.replaceManifest(manifest);
  if (database !== undefined) await database.transaction((tx) => applyDatabaseStep(tx, body));
  finishChange(files, body);
}

/**
 * The database step of a change: epoch, rows and audit event, all or nothing.
 * @throws KmcError E_CONFLICT when the database stands at another epoch or a row is not as it was.
 */
export async function applyDatabaseStep(tx: Transaction, body: JournalBody): Promise<void> {
  const { database } = body;
  if (database === undefined) throw new KmcError('E_INTEGRITY', 'The journal record lacks its database step.');
  const results = [await tx.instance.advanceKeystoreEpoch(body.toEpoch - 1)];
  for (const { replaces, ...row } of database.keks) {
    results.push(
      replaces === 0
        ? await tx.keystoreRows.addKek(row, body.toEpoch)
        : await tx.keystoreRows.resealKek(row.purpose, row.version, replaces, row.blob, body.toEpoch),
    );
  }
  if (results.includes(false)) {
    throw new KmcError('E_CONFLICT', 'Another node changed the keystore at the same time. Unseal again.');
  }
  await tx.audit.append(changeEvent({ ...body, database }), database.event.at);
}

/** The event of a change that the caller makes now. The address of the caller is left out: a journal is no place for it. */
export function keystoreChangeEvent(
  action: ChangeEvent['action'],
  { node, request }: AuditSource,
  caller: Caller,
  at: Date,
): ChangeEvent {
  const actor = auditActor(caller);
  return { id: newId('ev', at), action, at, actor, node, ...(request === undefined ? {} : { request }) };
}

/** Removes what a completed change made superfluous, the journal record last. */
export function finishChange(files: KeystoreFiles, body: JournalBody): void {
  for (const name of body.removes) files.remove(name);
  files.removeJournal(body.toEpoch);
}

/** Removes what a change added whose manifest was never written, the journal record last. */
export function discardChange(files: KeystoreFiles, body: JournalBody): void {
  const bytes = files.manifest();
  const listed = new Set(bytes === undefined ? [] : decodeManifest(bytes).body.files.map((file) => file.path));
  for (const { path } of body.adds) if (!listed.has(path)) files.remove(path);
  files.removeJournal(body.toEpoch);
}

function filesAfter(files: KeystoreFiles, change: KeystoreChange): FileEntry[] {
  const bytes = files.manifest();
  const before = bytes === undefined ? [] : decodeManifest(bytes).body.files;
  const { missing, altered } = compareFiles(before, files.list());
  if (missing.length + altered.length > 0) {
    throw new KmcError('E_INTEGRITY', `Keystore files missing or altered: ${[...missing, ...altered].join(', ')}.`);
  }
  const kept = before.filter((file) => !change.removes.includes(file.path));
  const added = change.adds.map(({ name, bytes: content }) => fileEntry(name, content));
  return [...kept, ...added].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function journalBody(change: KeystoreChange, manifest: string, macVersion: number): JournalBody {
  const { set, masterVersion } = change.seal;
  return {
    instance: change.instance,
    change: change.id,
    toEpoch: change.fromEpoch + 1,
    manifest,
    adds: change.adds.map(({ name, bytes }) => fileEntry(name, bytes)),
    removes: change.removes,
    set: set.setId,
    threshold: set.threshold,
    shares: set.count,
    masterVersion,
    macVersion,
    ...(change.database === undefined ? {} : { database: change.database }),
  };
}
