/**
 * Files that are either wholly there after a crash or not at all (security-and-faults 2.4). Everything is synchronous,
 * so that the order of system calls is the order of the lines, and a test can cut it at each of them.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, linkSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { readdirSync, readSync, realpathSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KmcError } from '../errors.ts';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const FORBIDDEN_BITS = 0o077;
const TEMPORARY = /^\..{1,128}\.[0-9a-f]{12}\.tmp$/;
// O_NONBLOCK: opening a FIFO must not wait for a writer before it is refused.
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY;

/** A file that is being written under a temporary name; it stands under its own once `commit` has returned. */
export interface DurableWrite {
  /** @throws KmcError E_STORAGE. */
  write(bytes: Buffer): void;
  /** Durable on return. @throws KmcError E_EXISTS when the name is taken; E_STORAGE, with `fatal` after a failed fsync. */
  commit(): void;
  /** Removes what was written; of no effect once it was committed or has failed. */
  abandon(): void;
}

/**
 * Begins a new file that is written piece by piece; an existing one is never replaced.
 * @throws KmcError E_STORAGE.
 */
export function beginDurableFile(path: string): DurableWrite {
  const temporary = openTemporary(path);
  return {
    write: (bytes) => temporary.write(bytes),
    commit() {
      temporary.finish();
      try {
        linkSync(temporary.path, path);
      } catch (error) {
        unlinkQuietly(temporary.path);
        if (hasErrno(error, 'EEXIST')) throw new KmcError('E_EXISTS', `The file ${basename(path)} exists already.`);
        throw storageError(error);
      }
      guarded(() => unlinkSync(temporary.path));
      syncDirectory(dirname(path));
    },
    abandon: () => temporary.drop(),
  };
}

/**
 * Writes a new file; an existing one is never replaced. Durable on return.
 * @throws KmcError E_EXISTS when the name is taken; E_STORAGE, with `fatal` after a failed fsync.
 */
export function createDurableFile(path: string, bytes: Buffer): void {
  const file = beginDurableFile(path);
  file.write(bytes);
  file.commit();
}

/**
 * Writes a file in place of one of the same name, in one step. Durable on return.
 * @throws KmcError E_STORAGE, with `fatal` after a failed fsync.
 */
export function replaceDurableFile(path: string, bytes: Buffer): void {
  const temporary = openTemporary(path);
  temporary.write(bytes);
  temporary.finish();
  guarded(() => renameSync(temporary.path, path));
  syncDirectory(dirname(path));
}

/**
 * Removes a file; an absent one is no error. Durable on return.
 * @throws KmcError E_STORAGE, with `fatal` after a failed fsync.
 */
export function removeDurableFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw storageError(error);
  }
  syncDirectory(dirname(path));
}

/**
 * Makes a directory with mode 0700; one that is there already is checked. Durable on return.
 * @throws KmcError E_STORAGE; E_INTEGRITY as checkPrivateDirectory.
 */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: DIRECTORY_MODE });
    syncDirectory(dirname(path));
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error instanceof KmcError ? error : storageError(error);
  }
  checkPrivateDirectory(path);
}

/**
 * Checks that a path is a directory, no symbolic link, and closed to group and others.
 * @throws KmcError E_INTEGRITY naming the directory; E_STORAGE when it cannot be looked at.
 */
export function checkPrivateDirectory(path: string): void {
  const status = guarded(() => lstatSync(path));
  if (!status.isDirectory()) throw integrityError(`${basename(path)} is not a directory`);
  if ((status.mode & FORBIDDEN_BITS) !== 0) throw integrityError(`${basename(path)} is open to group or others`);
}

/**
 * Checks that `folder` lies inside `root` once every symbolic link is resolved.
 * @throws KmcError E_INTEGRITY naming the folder; E_STORAGE when it cannot be looked at.
 */
export function checkInside(root: string, folder: string): void {
  const realRoot = guarded(() => realpathSync(root));
  const realFolder = guarded(() => realpathSync(folder));
  if (realFolder !== realRoot && !realFolder.startsWith(`${realRoot}/`)) {
    throw integrityError(`${basename(folder)} leads out of the keystore`);
  }
}

/**
 * Reads a whole file that must be a regular one with one name, closed to group and others.
 * @param name what error texts call it.
 * @returns nothing when there is no such file.
 * @throws KmcError E_INTEGRITY for a symbolic link, FIFO, device, second hard link, open permission bits or more than
 * `maxBytes`; E_STORAGE when it cannot be read.
 */
export function readPrivateFile(path: string, name: string, maxBytes: number): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, READ_FLAGS);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    if (hasErrno(error, 'ELOOP')) throw integrityError(`${name} is a symbolic link`);
    if (hasErrno(error, 'ENXIO')) throw integrityError(`${name} is not a regular file`);
    throw storageError(error);
  }
  try {
    return readChecked(descriptor, name, maxBytes);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Deletes what an interrupted write left behind in a directory. Nothing of it is ever read.
 * @param unchangedSince only what nobody has written to since then; everything unless told.
 * @throws KmcError E_STORAGE.
 */
export function deleteStrayTemporaries(directory: string, unchangedSince = new Date(8.64e15)): void {
  const strays = guarded(() => readdirSync(directory)).filter((name) => TEMPORARY.test(name));
  for (const path of strays.map((name) => join(directory, name))) {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status !== undefined && status.mtime < unchangedSince) removeDurableFile(path);
  }
}

/** True for a name that an interrupted or running write uses. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name);
}

/**
 * Makes the names in a directory durable.
 * @throws KmcError E_STORAGE, with `fatal` after a failed fsync.
 */
export function syncDirectory(directory: string): void {
  const descriptor = guarded(() => openSync(directory, DIRECTORY_FLAGS));
  try {
    syncOrDie(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readChecked(descriptor: number, name: string, maxBytes: number): Buffer {
  const status = guarded(() => fstatSync(descriptor));
  if (!status.isFile()) throw integrityError(`${name} is not a regular file`);
  if (status.nlink !== 1) throw integrityError(`${name} has a second name (hard link)`);
  if ((status.mode & FORBIDDEN_BITS) !== 0) throw integrityError(`${name} is open to group or others`);
  if (status.size > maxBytes) throw integrityError(`${name} is larger than any such file can be`);
  const bytes = Buffer.alloc(status.size);
  let done = 0;
  while (done < bytes.length) {
    const read = guarded(() => readSync(descriptor, bytes, done, bytes.length - done, null));
    if (read === 0) throw integrityError(`${name} became shorter while it was read`);
    done += read;
  }
  return bytes;
}

interface Temporary {
  readonly path: string;
  write(bytes: Buffer): void;
  /** Synced and closed. */
  finish(): void;
  drop(): void;
}

/** A file under a temporary name in the directory of `path`. */
function openTemporary(path: string): Temporary {
  const name = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const descriptor = guarded(() => openSync(name, 'wx', FILE_MODE));
  let isOpen = true;
  const close = (): void => {
    isOpen = false;
    closeSync(descriptor);
  };
  const drop = (): void => {
    if (!isOpen) return;
    close();
    unlinkQuietly(name);
  };
  return {
    path: name,
    drop,
    write(bytes) {
      try {
        let done = 0;
        while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done);
      } catch (error) {
        drop();
        throw storageError(error);
      }
    },
    finish() {
      try {
        syncOrDie(descriptor);
      } finally {
        close();
      }
    },
  };
}

/** After a failed fsync the kernel may have dropped the pages, and a second call would report success: no retry. */
function syncOrDie(descriptor: number): void {
  try {
    fsyncSync(descriptor);
  } catch (error) {
    throw new KmcError(
      'E_STORAGE',
      'The storage did not confirm a write. Nothing more is written; check the medium and start again.',
      { cause: error, fatal: true },
    );
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The next start deletes it.
  }
}

function guarded<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw storageError(error);
  }
}

function storageError(cause: unknown): KmcError {
  return new KmcError('E_STORAGE', 'The storage of the keystore refused an operation; check space and permissions.', {
    cause,
  });
}

function integrityError(what: string): KmcError {
  return new KmcError('E_INTEGRITY', `In the keystore, ${what}. Restore it from the backup or correct it.`);
}

function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
