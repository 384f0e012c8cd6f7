/** Reads a backup: what it says in clear, and behind the backup key every record of it, each part at its place. */
import type { CryptoEngine, KeyEncryptionKey, SecretHandle } from '../../crypto/engine.ts';
import { Sm3Stream } from '../../crypto/gm/sm3.ts';
import { BACKUP_MARK, brokenBackup, readFrames, type BackupFrame } from '../../domain/backup/backup-frames.ts';
import { backupDigest, decodeBackupHeader, type BackupHeader } from '../../domain/backup/backup-header.ts';
import { decodeBackupRecord, MOST_RECORD_OCTETS, type BackupRecord } from '../../domain/backup/backup-record.ts';
import { decodeBackupSignature, verifyBackupSignature } from '../../domain/backup/backup-signature.ts';
import { backupPartContext } from '../../domain/keystore/blob-context.ts';
import { decodeKeystoreArchive, type KeystoreArchive } from '../../domain/keystore/keystore-archive.ts';
import { sealFileName } from '../../domain/keystore/keystore-kind.ts';
import type { Manifest } from '../../domain/keystore/manifest.ts';
import { decodeSealFile, type SealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import { KeyRing } from '../keystore/key-ring.ts';
import type { KeystoreFileReader } from '../ports/keystore.ts';

/** A backup whose clear part was read. Nothing of it is proved before the signature, at the very end, is. */
export interface BegunBackup {
  readonly header: BackupHeader;
  readonly headerDigest: string;
  readonly archive: KeystoreArchive & { readonly read: Manifest };
  readonly seal: SealFile;
  /** The frames that follow, once. */
  readonly rest: AsyncIterator<BackupFrame>;
  readonly digest: Sm3Stream;
  /** Octets read until now. */
  readonly begun: number;
}

/** What came out when a backup was read to its end. */
export interface ReadBackup {
  readonly parts: number;
  /** Octets that the signature covers. */
  readonly size: number;
  /** `sm3:<hex>` of them. */
  readonly content: string;
}

/**
 * Reads the header and the files of the keystore, and holds them against each other.
 * @throws KmcError E_SCHEMA (no backup), E_INTEGRITY (damaged, a file missing, or header and keystore are of different
 * epochs, instances or share sets).
 */
export async function beginBackup(source: AsyncIterable<Buffer>): Promise<BegunBackup> {
  const rest = readFrames(source)[Symbol.asyncIterator]();
  const digest = new Sm3Stream();
  digest.update(BACKUP_MARK);
  const head = await expectFrame(rest, 'header', digest);
  const files = await expectFrame(rest, 'keystore', digest);
  const header = decodeBackupHeader(head.content);
  if (header.keystore !== backupDigest(files.content)) throw brokenBackup();
  const archive = decodeKeystoreArchive(files.content, 'service');
  const name = sealFileName(header.set);
  const seal = archive.files.find((file) => file.name === name);
  const { epoch, instance } = archive.read.body;
  if (seal === undefined || epoch !== header.epoch || instance !== header.instance) throw brokenBackup();
  const begun = BACKUP_MARK.length + head.octets.length + files.octets.length;
  const headerDigest = backupDigest(head.content);
  return { header, headerDigest, archive, seal: decodeSealFile(seal.bytes, name), rest, digest, begun };
}

async function expectFrame(
  frames: AsyncIterator<BackupFrame>,
  kind: BackupFrame['kind'],
  digest: Sm3Stream,
): Promise<BackupFrame> {
  const next = await frames.next();
  if (next.done === true || next.value.kind !== kind) throw brokenBackup();
  digest.update(next.value.octets);
  return next.value;
}

/**
 * The keys of a backup, by the unseal key of its share set: the ring holds the backup key and nothing else.
 * @throws KmcError E_INTEGRITY when they do not open.
 */
export async function openBackupRing(
  engine: CryptoEngine,
  { header, archive, seal }: BegunBackup,
  unsealKey: SecretHandle,
): Promise<KeyRing> {
  const ring = await KeyRing.open(engine, seal, unsealKey);
  try {
    await ring.openKek({ purpose: 'backup', ...header.kek }, archiveReader(archive));
    return ring;
  } catch (error) {
    ring.wipe();
    throw error;
  }
}

/** The files of an archive as a keystore reads them. */
function archiveReader({ manifest, files, read }: BegunBackup['archive']): KeystoreFileReader {
  return {
    kind: 'service',
    manifest: () => manifest,
    list: () => [...read.body.files],
    read(name) {
      const file = files.find((one) => one.name === name);
      if (file === undefined) throw new KmcError('E_INTEGRITY', `The backup lacks the keystore file ${name}.`);
      return file.bytes;
    },
    journal: () => [],
  };
}

/**
 * Reads the parts and the signature behind them without opening a part: that the file is whole, and whose it is.
 * @param pinned the certificate (DER) of the audit log that must have signed.
 * @throws KmcError E_INTEGRITY, E_SIGNATURE.
 */
export async function skimBackup(begun: BegunBackup, pinned?: Buffer): Promise<ReadBackup> {
  let parts = 0;
  let size = begun.begun;
  for (;;) {
    const frame = await nextFrame(begun);
    if (frame.kind === 'signature') return await endBackup(begun, frame, { parts, size }, pinned);
    parts += 1;
    size += frame.octets.length;
  }
}

async function nextFrame({ rest, digest }: BegunBackup): Promise<BackupFrame> {
  const next = await rest.next();
  if (next.done === true || (next.value.kind !== 'part' && next.value.kind !== 'signature')) throw brokenBackup();
  if (next.value.kind === 'part') digest.update(next.value.octets);
  return next.value;
}

async function endBackup(
  { header, rest, digest }: BegunBackup,
  frame: BackupFrame,
  read: Omit<ReadBackup, 'content'>,
  pinned: Buffer | undefined,
): Promise<ReadBackup> {
  const signature = decodeBackupSignature(frame.content);
  const content = `sm3:${digest.digest().toString('hex')}`;
  const { statement } = signature;
  const isAbout = statement.id === header.id && statement.instance === header.instance;
  const isWhole = statement.content === content && statement.size === String(read.size);
  if (read.parts === 0 || !isAbout || !isWhole || (await rest.next()).done !== true) throw brokenBackup();
  verifyBackupSignature(signature, pinned);
  return { ...read, content };
}

/** Holds the octets of opened parts until a record is whole. */
class RecordReader {
  #held: Buffer[] = [];
  #octets = 0;
  /** Before so many are held, no record is whole. */
  #needed = LENGTH_OCTETS;

  get isEmpty(): boolean {
    return this.#octets === 0;
  }

  /** The records that are whole now. */
  push(octets: Buffer): BackupRecord[] {
    this.#held.push(octets);
    this.#octets += octets.length;
    if (this.#octets < this.#needed) return [];
    const records: BackupRecord[] = [];
    let rest = Buffer.concat(this.#held);
    this.#needed = lengthOf(rest);
    while (rest.length >= this.#needed) {
      records.push(decodeBackupRecord(rest.subarray(LENGTH_OCTETS, this.#needed)));
      rest = rest.subarray(this.#needed);
      this.#needed = lengthOf(rest);
    }
    this.#held = [rest];
    this.#octets = rest.length;
    return records;
  }
}

const LENGTH_OCTETS = 4;

/** Octets of the record that begins there, with its length, as far as that can be told. */
function lengthOf(octets: Buffer): number {
  if (octets.length < LENGTH_OCTETS) return LENGTH_OCTETS;
  const length = octets.readUInt32BE(0);
  if (length > MOST_RECORD_OCTETS) throw brokenBackup();
  return LENGTH_OCTETS + length;
}

/**
 * Opens part after part and gives the records in them. The last record comes before the end is proved: a caller that
 * stores anything does so in one transaction, which it ends after the generator has ended.
 * @param pinned as of `skimBackup`.
 * @returns what was read, when the generator ends.
 * @throws KmcError E_INTEGRITY for a part that does not open, stands at another place, is missing or too many; a header
 * that is not the one that was sealed; a count that differs. E_SIGNATURE.
 */
export async function* backupRecords(
  engine: CryptoEngine,
  kek: KeyEncryptionKey,
  begun: BegunBackup,
  pinned?: Buffer,
): AsyncGenerator<BackupRecord, ReadBackup> {
  const reader = new RecordReader();
  const tally = new Tally(begun.headerDigest);
  let parts = 0;
  let size = begun.begun;
  let frame = await nextFrame(begun);
  while (frame.kind === 'part') {
    const next = await nextFrame(begun);
    parts += 1;
    size += frame.octets.length;
    const context = backupPartContext(begun.header.id, parts, next.kind === 'signature');
    for (const record of reader.push(await openPart(engine, kek, context, frame.content))) {
      tally.note(record);
      yield record;
    }
    frame = next;
  }
  if (!reader.isEmpty || !tally.isEnded) throw brokenBackup();
  return await endBackup(begun, frame, { parts, size }, pinned);
}

async function openPart(
  engine: CryptoEngine,
  kek: KeyEncryptionKey,
  context: Parameters<CryptoEngine['openData']>[1],
  blob: Buffer,
): Promise<Buffer> {
  try {
    return await engine.openData(kek, context, blob);
  } catch (error) {
    if (error instanceof KmcError && ['E_BLOB_AUTH', 'E_SUITE', 'E_SIZE'].includes(error.code)) {
      throw brokenBackup(error);
    }
    throw error;
  }
}

/** The order of the records: head, tables with their rows, end with the right counts, nothing after it. */
class Tally {
  readonly #header: string;
  #first = true;
  #inTable = false;
  #tables = 0;
  #rows = 0;
  #ended = false;

  constructor(header: string) {
    this.#header = header;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  note(record: BackupRecord): void {
    const isHead = record.kind === 'head' && record.header === this.#header;
    if (this.#ended || this.#first !== isHead || (record.kind === 'row' && !this.#inTable)) throw brokenBackup();
    this.#first = false;
    if (record.kind === 'table') this.#tables += 1;
    if (record.kind === 'row') this.#rows += 1;
    this.#inTable ||= record.kind === 'table';
    if (record.kind !== 'end') return;
    this.#ended = true;
    if (record.tables !== this.#tables || record.rows !== this.#rows) throw brokenBackup();
  }
}
