/** Makes a home in a folder beside it, so that an interruption leaves nothing that looks like an instance. */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import type { Environment } from '../../config/environment.ts';
import { KmcError } from '../../errors.ts';
import { syncDirectory } from '../../keystore/durable-file.ts';
import { databaseFile } from '../home-folder.ts';

const MAKING = '.making-';

/** True for a folder in which a home is being made, or was until it was interrupted. */
export function isBeingMade(home: string): boolean {
  return basename(home).includes(MAKING);
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Of processes that are gone. */
function removeLeftovers(home: string): void {
  const prefix = `${basename(home)}${MAKING}`;
  for (const name of readdirSync(dirname(home)).filter((one) => one.startsWith(prefix))) {
    const pid = name.slice(prefix.length);
    if (/^[0-9]{1,10}$/.test(pid) && !isAlive(Number(pid))) {
      rmSync(join(dirname(home), name), { recursive: true, force: true });
    }
  }
}

function requireEmptyFolder(home: string): void {
  if (lstatSync(home, { throwIfNoEntry: false }) === undefined || readdirSync(home).length === 0) return;
  throw new KmcError('E_EXISTS', 'The home folder holds other files. Name an empty one, or one that is not there yet.');
}

/** Path of the database file below the home; nothing for one elsewhere. */
function databaseInside(environment: Environment): string | undefined {
  const file = databaseFile(environment);
  const path = file === undefined ? '..' : relative(environment.home, file);
  return path.startsWith('..') || isAbsolute(path) ? undefined : path;
}

function readable(error: unknown): KmcError {
  if (error instanceof KmcError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOTEMPTY' || code === 'EEXIST') {
    return new KmcError('E_EXISTS', 'Another process made an instance in this home meanwhile.', { cause: error });
  }
  if (code === 'EBUSY' || code === 'EXDEV') {
    const text = 'The home folder is the root of a file system. Name a folder in it, which is not there yet.';
    return new KmcError('E_CONFIG', text, { cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOSPC') {
    const text = 'The folder that the home lies in cannot be written. Check permissions and space.';
    return new KmcError('E_STORAGE', text, { cause: error });
  }
  return new KmcError('E_INTERNAL', 'The instance could not be made.', { cause: error });
}

function asHalfMade(error: KmcError): KmcError {
  const text = `${error.message} The database may hold part of an instance now: use an empty database next time.`;
  return new KmcError(error.code, text, { cause: error });
}

/**
 * Lets `work` make a home in a folder beside the real one, and puts it in its place when it is whole. Everything that
 * `work` opened must be closed when it returns. What interrupted makings of this home left is removed first.
 * @param work gets the environment with the folder it is to make, on the same file system.
 * @throws KmcError E_EXISTS when the home holds other files; E_STORAGE; as `work`. The home is then as it was.
 */
export async function makeAside(environment: Environment, work: (aside: Environment) => Promise<void>): Promise<void> {
  const { home } = environment;
  const aside = `${home}${MAKING}${process.pid}`;
  try {
    requireEmptyFolder(home);
    mkdirSync(dirname(home), { recursive: true });
    removeLeftovers(home);
  } catch (error) {
    throw readable(error);
  }
  const inside = databaseInside(environment);
  const database = inside === undefined ? environment.database : join(aside, inside);
  try {
    await work({ ...environment, home: aside, database });
    renameSync(aside, home);
    syncDirectory(dirname(home));
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw inside === undefined ? asHalfMade(readable(error)) : readable(error);
  }
}
