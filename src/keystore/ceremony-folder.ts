/** A ceremony's folder on disk: every file is written once and synced, the transcript line by line. */
import { closeSync, constants, fsyncSync, ftruncateSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isBundleName } from '../domain/ceremony/bundle-files.ts';
import { KmcError } from '../errors.ts';
import type { CeremonyFolder, CeremonyInputs } from '../flows/ports/ceremony-folder.ts';
import { createDurableFile, deleteStrayTemporaries, isTemporaryName } from './durable-file.ts';
import { removeDurableFile, syncDirectory } from './durable-file.ts';

const MAX_FILE_BYTES = 16_777_216;
const MAX_FILES = 4096;
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;

/** The folder at `root`, which need not exist yet. Copies with other permission bits are read as well: nothing is secret. */
export function openCeremonyFolder(root: string): CeremonyFolder {
  const place = (name: string): string => {
    if (!isBundleName(name)) throw new KmcError('E_ID', 'A name in the folder of a ceremony has a form not allowed.');
    return join(root, name);
  };
  return {
    files: () => new Map(namesBelow(root, '').map((name) => [name, readRegular(join(root, name), name)])),
    read: (name) => (isThere(place(name)) ? readRegular(place(name), name) : undefined),
    create(name, bytes) {
      const path = place(name);
      makeFolder(dirname(path));
      createDurableFile(path, bytes);
    },
    ensure(name, bytes) {
      const path = place(name);
      if (isThere(path) && readRegular(path, name).equals(bytes)) return;
      makeFolder(dirname(path));
      createDurableFile(path, bytes);
    },
    discard: (name) => removeDurableFile(place(name)),
    clearUp(log) {
      if (isThere(root)) removeStrays(root);
      const bytes = isThere(place(log)) ? readRegular(place(log), log) : Buffer.alloc(0);
      const whole = bytes.lastIndexOf(0x0a) + 1;
      if (whole < bytes.length) truncateDurably(place(log), whole);
    },
    append(name, line) {
      const path = place(name);
      makeFolder(dirname(path));
      appendDurably(path, line);
    },
  };
}

/** The folder of inputs at `root`; only names without folders are read. */
export function openCeremonyInputs(root: string): CeremonyInputs {
  return {
    read(name) {
      const path = join(root, name);
      if (name.includes('/') || !isBundleName(name) || !isThere(path)) {
        throw new KmcError('E_NOT_FOUND', `The input ${name} is not in the folder of inputs.`);
      }
      return readRegular(path, name);
    },
  };
}

function namesBelow(root: string, folder: string): string[] {
  const path = join(root, folder);
  if (!isThere(path)) return [];
  const names = readdirSync(path, { withFileTypes: true })
    .filter((entry) => !isTemporaryName(entry.name))
    .flatMap((entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (!isBundleName(name)) throw new KmcError('E_INTEGRITY', 'The folder holds a file that no ceremony has.');
      return entry.isDirectory() ? namesBelow(root, name) : [name];
    });
  if (names.length > MAX_FILES) throw new KmcError('E_SIZE', 'The folder holds more files than any ceremony has.');
  return names.sort();
}

function removeStrays(path: string): void {
  deleteStrayTemporaries(path);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeStrays(join(path, entry.name));
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readRegular(path: string, name: string): Buffer {
  const status = lstatSync(path);
  if (!status.isFile()) throw new KmcError('E_INTEGRITY', `${name} is not a regular file.`);
  if (status.size > MAX_FILE_BYTES) throw new KmcError('E_SIZE', `${name} is larger than 16 MiB.`);
  return readFileSync(path);
}

/** Makes a folder and those above it; their names are durable on return. */
function makeFolder(path: string): void {
  let first: string | undefined;
  try {
    first = mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw storageError(cause);
  }
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made));
}

/** Opens a file, does the work, syncs it. */
function changeDurably(path: string, flags: number, work: (descriptor: number) => void): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, flags, 0o600);
    work(descriptor);
    fsyncSync(descriptor);
  } catch (cause) {
    throw storageError(cause, true);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function appendDurably(path: string, line: Buffer): void {
  const isNew = !isThere(path);
  changeDurably(path, APPEND, (descriptor) => {
    let done = 0;
    while (done < line.length) done += writeSync(descriptor, line, done, line.length - done);
  });
  if (isNew) syncDirectory(dirname(path));
}

function truncateDurably(path: string, length: number): void {
  changeDurably(path, constants.O_WRONLY | constants.O_NOFOLLOW, (descriptor) => ftruncateSync(descriptor, length));
}

function storageError(cause: unknown, fatal = false): KmcError {
  return new KmcError('E_STORAGE', 'The storage of the ceremony refused a write; check space and permissions.', {
    cause,
    fatal,
  });
}
