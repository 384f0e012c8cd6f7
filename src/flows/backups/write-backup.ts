import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyEncryptionKey } from '../../crypto/engine.ts';
import { Sm3Stream } from '../../crypto/gm/sm3.ts';
import { BACKUP_MARK, encodeFrame, type FrameKind } from '../../domain/backup/backup-frames.ts';
import { backupDigest, encodeBackupHeader, type BackupHeader } from '../../domain/backup/backup-header.ts';
import { encodeBackupRecord, type BackupRecord } from '../../domain/backup/backup-record.ts';
import { backupMessage, encodeBackupSignature } from '../../domain/backup/backup-signature.ts';
import { backupPartContext, kekName } from '../../domain/keystore/blob-context.ts';
import { encodeKeystoreArchive } from '../../domain/keystore/keystore-archive.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import { signChecked } from '../certificates/sign-checked.ts';
import { AUDIT_LOG_KEY, type Instance } from '../instance.ts';
import { inspectKeystore, type InspectedKeystore } from '../keystore/inspect-keystore.ts';
import type { BackupSink } from '../ports/backup-files.ts';
import type { Reader } from '../ports/database.ts';
import type { CopiedTable } from '../ports/database-copy.ts';

export type WriteBackupPorts = Pick<
  Instance,
  'id' | 'environment' | 'clock' | 'engine' | 'keystore' | 'audit' | 'databaseCopy'
>;

export interface BackupOrder {
  readonly id: string;
  readonly keepSeconds: number;
}

export interface WrittenBackup {
  readonly header: BackupHeader;
  /** Octets of the file. */
  readonly size: number;
  /** `sm3:<hex>` of what the signature covers. */
  readonly content: string;
}

/** Plain octets of one part. */
const PART_OCTETS = 262_144;

/** Writes frames and keeps count of what the signature will cover. */
class FrameWriter {
  readonly #sink: BackupSink;
  readonly #digest = new Sm3Stream();
  size = 0;

  constructor(sink: BackupSink) {
    this.#sink = sink;
    this.#put(BACKUP_MARK);
  }

  frame(kind: FrameKind, content: Buffer): void {
    this.#put(encodeFrame(kind, content));
  }

  /** `sm3:<hex>` of everything until now; nothing but the signature may follow. */
  digest(): string {
    return `sm3:${this.#digest.digest().toString('hex')}`;
  }

  #put(octets: Buffer): void {
    this.#sink.write(octets);
    this.#digest.update(octets);
    this.size += octets.length;
  }
}

/** Cuts records into parts of one size and seals each at its place. */
class PartWriter {
  readonly #engine: CryptoEngine;
  readonly #kek: KeyEncryptionKey;
  readonly #id: string;
  readonly #frames: FrameWriter;
  #held: Buffer[] = [];
  #heldOctets = 0;
  #place = 0;

  constructor(engine: CryptoEngine, kek: KeyEncryptionKey, id: string, frames: FrameWriter) {
    this.#engine = engine;
    this.#kek = kek;
    this.#id = id;
    this.#frames = frames;
  }

  async record(record: BackupRecord): Promise<void> {
    const octets = encodeBackupRecord(record);
    this.#held.push(octets);
    this.#heldOctets += octets.length;
    // What is held is never sealed whole: the last part says that it is the last.
    if (this.#heldOctets <= PART_OCTETS) return;
    let held = Buffer.concat(this.#held);
    while (held.length > PART_OCTETS) {
      await this.#seal(held.subarray(0, PART_OCTETS), false);
      held = held.subarray(PART_OCTETS);
    }
    this.#held = [held];
    this.#heldOctets = held.length;
  }

  async end(): Promise<void> {
    await this.#seal(Buffer.concat(this.#held), true);
  }

  async #seal(octets: Buffer, isLast: boolean): Promise<void> {
    this.#place += 1;
    const context = backupPartContext(this.#id, this.#place, isLast);
    this.#frames.frame('part', await this.#engine.sealData(this.#kek, context, octets));
  }
}

/**
 * Writes a backup of the running instance: every table at one moment, the files of the service keystore of the same
 * epoch, and the newest note that the signer of the audit log remembers; sealed part by part under the backup key, so
 * that k custodians open it, and signed by the key of the audit log.
 * @throws KmcError E_SEALED; E_STATE before there is an audit log; E_CONFLICT while the keystore is being changed;
 * E_STORAGE, E_INTEGRITY. The caller commits or abandons the sink.
 */
export async function writeBackup(
  ports: WriteBackupPorts,
  order: BackupOrder,
  sink: BackupSink,
): Promise<WrittenBackup> {
  const certificate = await ports.audit.certificate();
  const signer = await ports.keystore.caKey(AUDIT_LOG_KEY);
  if (certificate === undefined) throw new KmcError('E_STATE', 'There is no audit log yet. Hold the first ceremony.');
  // Before the moment of the copy: what the signer remembers then stands in the copy.
  const remembered = await (await ports.audit.ports())?.signerState.load();
  const takenAt = ports.clock.now();
  return await ports.databaseCopy.copy(async (reader, tables) => {
    const { files, inspected } = await keystoreOf(ports, reader);
    const keks = await reader.keystoreRows.keks();
    const kek = ports.keystore.currentKek('backup');
    const row = keks.find(({ purpose, version }) => purpose === kek.purpose && version === kek.version);
    if (row?.blob === undefined) throw changing();
    const header: BackupHeader = {
      id: order.id,
      instance: ports.id,
      environment: ports.environment,
      origin: ports.audit.origin,
      takenAt,
      expiresAt: new Date(takenAt.getTime() + order.keepSeconds * 1000),
      epoch: inspected.manifest.body.epoch,
      set: inspected.seal.set.setId,
      threshold: inspected.seal.set.threshold,
      keystore: backupDigest(files),
      schema: ports.databaseCopy.schema,
      keks: keks.filter(({ state }) => state !== 'destroyed').map(({ purpose, version }) => kekName(purpose, version)),
      kek: { version: row.version, objectVersion: row.objectVersion, blob: row.blob, keyCheckValue: row.keyCheckValue },
    };
    const note = remembered?.note ?? (await reader.audit.newestCheckpoint())?.note;
    const frames = new FrameWriter(sink);
    const head = encodeBackupHeader(header);
    frames.frame('header', head);
    frames.frame('keystore', files);
    const parts = new PartWriter(ports.engine, kek, order.id, frames);
    await parts.record({ kind: 'head', header: backupDigest(head) });
    if (note !== undefined) await parts.record({ kind: 'checkpoint', note });
    await writeTables(parts, tables);
    await parts.end();
    const { size } = frames;
    const statement = {
      id: order.id,
      instance: ports.id,
      content: frames.digest(),
      size: String(size),
      certificate: sm3Fingerprint(certificate),
    };
    const by = { engine: ports.engine, key: signer, algorithm: 'SM2-SM3' } as const;
    const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(await signChecked(by, backupMessage(statement)));
    const last = encodeFrame('signature', encodeBackupSignature({ statement, signature, certificate }));
    sink.write(last);
    return { header, size: size + last.length, content: statement.content };
  });
}

async function writeTables(parts: PartWriter, tables: AsyncIterable<CopiedTable>): Promise<void> {
  let count = 0;
  let total = 0;
  for await (const { name, columns, rows } of tables) {
    count += 1;
    await parts.record({ kind: 'table', name, columns });
    for await (const values of rows) {
      total += 1;
      await parts.record({ kind: 'row', values });
    }
  }
  await parts.record({ kind: 'end', tables: count, rows: total });
}

/** The files of the keystore, of the epoch that the copied database stands at. */
async function keystoreOf(
  { keystore }: Pick<Instance, 'keystore'>,
  reader: Reader,
): Promise<{ files: Buffer; inspected: InspectedKeystore }> {
  const { files } = keystore.ports;
  const epoch = await reader.instance.keystoreEpoch();
  return await files.exclusively(() => {
    const inspected = inspectKeystore(files);
    const manifest = files.manifest();
    const isSettled = inspected?.manifest.body.epoch === epoch && inspected.record === undefined;
    if (manifest === undefined || inspected === undefined || !isSettled) throw changing();
    const listed = inspected.manifest.body.files.map(({ path }) => ({ name: path, bytes: files.read(path) }));
    return { files: encodeKeystoreArchive({ manifest, files: listed }), inspected };
  });
}

function changing(): KmcError {
  return new KmcError('E_CONFLICT', 'The keystore was changed at the same time. Make the backup again.');
}
