/**
 * A keystore directory (security-and-faults 2.4): the sealed and public files of one keystore under names from a closed
 * table, a manifest, a journal and a lock. It knows nothing of keys and never sees one.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KmcError } from '../errors.ts';
import { isKeystoreFileName, type KeystoreKind } from '../domain/keystore/keystore-kind.ts';
import { fileEntry, type FileEntry } from '../domain/keystore/manifest.ts';
import type { KeystoreFileReader, KeystoreFiles } from '../flows/ports/keystore.ts';
import { checkInside, checkPrivateDirectory, createDurableFile, deleteStrayTemporaries } from './durable-file.ts';
import { isTemporaryName, makePrivateDirectory, readPrivateFile } from './durable-file.ts';
import { removeDurableFile, replaceDurableFile, syncDirectory } from './durable-file.ts';
import { awaitLock, takeLock, type KeystoreLock } from './lock-file.ts';

const MAX_FILE_BYTES = 4_194_304;
const MANIFEST = 'manifest.json';
const JOURNAL = 'journal';
const LOCK = '.lock';
const JOURNAL_NAME = /^([0-9]{8})\.rec$/;
const FOLDERS: Readonly<Record<KeystoreKind, readonly string[]>> = {
  service: ['seal', 'master', JOURNAL],
  ceremony: ['seal', 'master', 'kek', 'root', 'tomb', JOURNAL],
};

/**
 * Opens a keystore directory for reading and writing, and makes it when it is absent. Several processes may have the one
 * of the service open and take turns in changing it; the one of the ceremonies is its ceremony's alone until `close`.
 * @param root path of the directory; its parent must exist.
 * @throws KmcError E_CONFLICT while another process has the ceremony keystore open; E_INTEGRITY when something in it is
 * not a private regular file or directory, or has a name that it cannot have; E_STORAGE.
 */
export function openFileKeystore(root: string, kind: KeystoreKind): KeystoreFiles {
  makeFolders(root, kind);
  return kind === 'ceremony' ? openForCeremony(root) : openForService(root);
}

function openForCeremony(root: string): KeystoreFiles {
  const lock = takeLock(root);
  const reader = readFileKeystore(root, 'ceremony');
  let isHeld = true;
  const close = (): void => {
    isHeld = false;
    lock.release();
  };
  try {
    clearUp(root, reader);
    return { ...reader, ...writerOf(root, 'ceremony', () => isHeld), exclusively: async (work) => work(), close };
  } catch (error) {
    close();
    throw error;
  }
}

function openForService(root: string): KeystoreFiles {
  const reader = readFileKeystore(root, 'service');
  clearUpAtStart(root, reader);
  let isHeld = false;
  let failure: KmcError | undefined;
  return {
    ...reader,
    ...writerOf(root, 'service', () => isHeld),
    async exclusively(work) {
      const lock = await awaitLock(root);
      isHeld = true;
      try {
        // After a failed fsync nobody knows what is on the medium: this process must not write to it any more.
        if (failure !== undefined) throw failure;
        clearUp(root, reader);
        return await work();
      } catch (error) {
        if (error instanceof KmcError && error.fatal) failure = error;
        throw error;
      } finally {
        isHeld = false;
        lock.release();
      }
    },
    close: () => undefined,
  };
}

/** While another process is at it, that one clears up. */
function clearUpAtStart(root: string, reader: KeystoreFileReader): void {
  let lock: KeystoreLock;
  try {
    lock = takeLock(root);
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_CONFLICT') return;
    throw error;
  }
  try {
    clearUp(root, reader);
  } finally {
    lock.release();
  }
}

function makeFolders(root: string, kind: KeystoreKind): void {
  for (const folder of ['', ...FOLDERS[kind]]) makePrivateDirectory(join(root, folder));
  // An earlier start may have been cut after it made a folder and before it synced the folder's name.
  for (const folder of [dirname(root), root]) syncDirectory(folder);
  if (kind === 'ceremony') syncDirectory(join(root, 'kek'));
}

/** Deletes what interrupted writes left, then looks at everything else once. */
function clearUp(root: string, reader: KeystoreFileReader): void {
  for (const folder of ['', ...FOLDERS[reader.kind], ...kekFolders(root, reader.kind)]) {
    deleteStrayTemporaries(join(root, folder));
  }
  reader.list();
}

/**
 * Looks into a keystore directory without its lock and without changing anything; for status and checks. What another
 * process changes at the same time may be seen half done.
 */
export function readFileKeystore(root: string, kind: KeystoreKind): KeystoreFileReader {
  const readOptional = (name: string): Buffer | undefined => {
    const folder = folderOf(root, name);
    return folder === undefined ? undefined : readPrivateFile(join(root, name), name, MAX_FILE_BYTES);
  };
  const read = (name: string): Buffer => {
    const bytes = readOptional(checkedName(kind, name));
    if (bytes === undefined) {
      throw new KmcError('E_INTEGRITY', `The keystore file ${name} is missing. Restore it from the backup.`);
    }
    return bytes;
  };
  return {
    kind,
    manifest: () => readOptional(MANIFEST),
    list: () => listNames(root, kind).map((name): FileEntry => fileEntry(name, read(name))),
    read,
    journal: () =>
      namesIn(root, JOURNAL).map((name) => ({ sequence: sequenceOf(name), bytes: readJournal(readOptional, name) })),
  };
}

type KeystoreWriter = Omit<KeystoreFiles, keyof KeystoreFileReader | 'exclusively' | 'close'>;

function writerOf(root: string, kind: KeystoreKind, isHeld: () => boolean): KeystoreWriter {
  const inRoot = (name: string): string => {
    if (!isHeld()) throw new KmcError('E_INTERNAL', 'A keystore was about to be changed without its lock.');
    return join(root, name);
  };
  const target = (name: string): string => {
    const path = inRoot(checkedName(kind, name));
    const slash = name.lastIndexOf('/');
    if (slash > 0) makePrivateDirectory(join(root, name.slice(0, slash)));
    folderOf(root, name);
    return path;
  };
  return {
    replaceManifest: (bytes) => replaceDurableFile(inRoot(MANIFEST), bytes),
    add: (name, bytes) => createDurableFile(target(name), bytes),
    remove: (name) => removeDurableFile(target(name)),
    addJournal: (sequence, bytes) => createDurableFile(inRoot(journalName(sequence)), bytes),
    removeJournal: (sequence) => removeDurableFile(inRoot(journalName(sequence))),
  };
}

/** The directory a name lies in, after the check that it is private and inside the keystore; nothing when absent. */
function folderOf(root: string, name: string): string | undefined {
  checkPrivateDirectory(root);
  let folder = root;
  for (const part of name.split('/').slice(0, -1)) {
    folder = join(folder, part);
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return undefined;
    checkPrivateDirectory(folder);
  }
  checkInside(root, folder);
  return folder;
}

/** Every name besides manifest, journal and lock, sorted. @throws KmcError E_INTEGRITY for a name out of the table. */
function listNames(root: string, kind: KeystoreKind): string[] {
  checkPrivateDirectory(root);
  const names: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of namesIn(root, folder)) {
      const name = folder === '' ? entry : `${folder}/${entry}`;
      if (name === MANIFEST || name === JOURNAL || name === LOCK) continue;
      if (isFolder(root, kind, name)) visit(name);
      else if (isKeystoreFileName(kind, name)) names.push(name);
      else throw new KmcError('E_INTEGRITY', `The keystore holds ${printable(name)}, which is not one of its files.`);
    }
  };
  visit('');
  return names.sort();
}

function isFolder(root: string, kind: KeystoreKind, name: string): boolean {
  const isKnown = FOLDERS[kind].includes(name) || (kind === 'ceremony' && /^kek\/[a-z-]+$/.test(name));
  return isKnown && lstatSync(join(root, name)).isDirectory();
}

function kekFolders(root: string, kind: KeystoreKind): string[] {
  return kind === 'service' ? [] : namesIn(root, 'kek').map((name) => `kek/${name}`);
}

/** Names in a folder besides those that a running or interrupted write uses; none when the folder is absent. */
function namesIn(root: string, folder: string): string[] {
  const path = join(root, folder);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return [];
  checkPrivateDirectory(path);
  return readdirSync(path)
    .filter((name) => !isTemporaryName(name))
    .sort();
}

function readJournal(readOptional: (name: string) => Buffer | undefined, name: string): Buffer {
  return readOptional(`${JOURNAL}/${name}`) ?? Buffer.alloc(0);
}

function journalName(sequence: number): string {
  return `${JOURNAL}/${String(sequence).padStart(8, '0')}.rec`;
}

function sequenceOf(name: string): number {
  const [, digits] = JOURNAL_NAME.exec(name) ?? [];
  if (digits === undefined) {
    throw new KmcError(
      'E_INTEGRITY',
      `The journal of the keystore holds ${printable(name)}, which is no record of it.`,
    );
  }
  return Number(digits);
}

function checkedName(kind: KeystoreKind, name: string): string {
  if (!isKeystoreFileName(kind, name)) {
    throw new KmcError('E_ID', 'A name of a keystore file has a form that is not allowed.');
  }
  return name;
}

/** A foreign name may hold anything: it is shown with what could disturb a terminal or a log replaced. */
function printable(name: string): string {
  return name.replace(/[^A-Za-z0-9./_-]/g, '?').slice(0, 80);
}
