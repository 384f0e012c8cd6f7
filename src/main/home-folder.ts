/** The home folder of an instance: whether there is one in it, who may look into it, and which process serves it. */
import { existsSync, lstatSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { makePrivateDirectory } from '../keystore/durable-file.ts';
import { takeLock, type KeystoreLock } from '../keystore/lock-file.ts';

/** Folder of a development instance that holds the keys of all its people. */
export const STAGE_FOLDER = 'DEVELOPMENT-ONLY';
/** Folder of the checkpoint signer's memory: of the one process that serves the home. */
export const AUDIT_SIGNER_FOLDER = 'audit-signer';

const OWN_NAMES = ['kmc.yaml', 'service', STAGE_FOLDER] as const;
const OPEN_BITS = 0o077;

/** The SQLite file of a database address, absolute; nothing for a server. */
export function databaseFile({ database }: Pick<Environment, 'database'>): string | undefined {
  return /^postgres(?:ql)?:\/\//.test(database) ? undefined : resolve(database.replace(/^sqlite:(?:\/\/)?/, ''));
}

function hasDatabaseFile(environment: Environment): boolean {
  const file = databaseFile(environment);
  return file !== undefined && existsSync(file);
}

/** True when a home has settings, a service keystore, a database file or a stage: nothing new may be made there. */
export function holdsInstance(environment: Environment): boolean {
  return OWN_NAMES.some((name) => existsSync(join(environment.home, name))) || hasDatabaseFile(environment);
}

/** @throws KmcError E_NOT_FOUND when there is no instance in the home. Nothing is written. */
export function requireInstance(environment: Environment): void {
  if (holdsInstance(environment)) return;
  throw new KmcError(
    'E_NOT_FOUND',
    'There is no instance in this home. Name another folder with --home, or make one with kmc init.',
  );
}

/** @throws KmcError E_CONFLICT for a database whose keystore is not there: a new keystore would never open it. */
export function requireKeystoreBesideDatabase(environment: Environment): void {
  if (OWN_NAMES.some((name) => existsSync(join(environment.home, name))) || !hasDatabaseFile(environment)) return;
  throw new KmcError(
    'E_CONFLICT',
    'There is a database, but no keystore that belongs to it. Restore the keystore, or use an empty database.',
  );
}

/** @throws KmcError E_CONFIG when the home is there and no folder, or open to group or others. Nothing is written. */
export function checkHome({ home }: Pick<Environment, 'home'>): void {
  const status = lstatSync(home, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isDirectory()) throw new KmcError('E_CONFIG', 'The home (--home) is not a folder, or a link to one.');
  if ((status.mode & OPEN_BITS) === 0) return;
  throw new KmcError(
    'E_CONFIG',
    'The home folder (--home) is open to group or others. Close it with chmod 700; nothing was changed.',
  );
}

/**
 * Makes this process the one that serves a home: two checkpoint signers on one log would stop each other.
 * @throws KmcError E_CONFLICT while another process serves it; E_STORAGE, E_INTEGRITY.
 */
export function takeHome({ home }: Pick<Environment, 'home'>): KeystoreLock {
  const folder = join(home, AUDIT_SIGNER_FOLDER);
  makePrivateDirectory(folder);
  try {
    return takeLock(folder);
  } catch (error) {
    if (!(error instanceof KmcError) || error.code !== 'E_CONFLICT') throw error;
    throw new KmcError('E_CONFLICT', 'The service of this home runs already. Stop it first: one home has one service.');
  }
}
