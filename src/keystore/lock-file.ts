/**
 * One process at a time on a directory: a keystore, or what a device trusts. Node has no flock, so each process puts down a claim of its own and
 * then looks for others: of two that meet, the later one at least sees the earlier. Claims of dead processes are
 * cleared away. Between nodes the lease in the database decides.
 */
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { KmcError } from '../errors.ts';
import { makePrivateDirectory } from './durable-file.ts';

export interface KeystoreLock {
  release(): void;
}

const PATIENCE_MS = 5000;
const PAUSE_MS = 20;

/**
 * The claim is the name alone, so that it is there at once and whole: process id, start of the process in clock ticks
 * (a process id that is used again is not taken for it), boot id.
 */
const CLAIM = /^([0-9]{1,10})-([0-9]{0,20})-([0-9a-f-]{0,36})\.claim$/;

/**
 * Takes the lock of a directory.
 * @throws KmcError E_CONFLICT while another process, or another part of this one, holds it (of two that try at once,
 * both may be refused); E_STORAGE.
 */
export function takeLock(root: string): KeystoreLock {
  const folder = join(root, '.lock');
  makePrivateDirectory(folder);
  const own = claimName(process.pid);
  putClaim(join(folder, own));
  const release = (): void => removeClaim(join(folder, own));
  for (const name of readdirSync(folder).filter((other) => other !== own)) {
    if (isHeld(name)) {
      release();
      throw inUse();
    }
    removeClaim(join(folder, name));
  }
  return { release };
}

/**
 * Takes the lock as soon as it is free.
 * @throws KmcError E_CONFLICT when it is not free within 5 s; E_STORAGE.
 */
export async function awaitLock(root: string): Promise<KeystoreLock> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return takeLock(root);
    } catch (error) {
      if (!(error instanceof KmcError && error.code === 'E_CONFLICT') || Date.now() >= end) throw error;
    }
    // Two that were refused at once must not meet again.
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS + randomInt(PAUSE_MS)));
  }
}

function putClaim(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) throw inUse();
    throw new KmcError('E_STORAGE', 'The lock of a folder could not be taken; check space and permissions.', {
      cause: error,
    });
  }
}

/** A claim is held when a process of that id, started then, lives in this boot. Where that cannot be known, it is held. */
function isHeld(name: string): boolean {
  if (startOf(String(process.pid)) === '') return true;
  const [, pid] = CLAIM.exec(name) ?? [];
  return pid !== undefined && startOf(pid) !== '' && claimName(Number(pid)) === name;
}

function claimName(pid: number): string {
  return `${pid}-${startOf(String(pid))}-${readOrNothing('/proc/sys/kernel/random/boot_id').trim()}.claim`;
}

/** Field 22 of /proc/<pid>/stat; empty for a process that is gone. The name in field 2 may hold blanks and brackets. */
function startOf(pid: string): string {
  const status = readOrNothing(`/proc/${pid}/stat`);
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  return ['Z', 'X', ''].includes(fields[0] ?? '') ? '' : (fields[19] ?? '');
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function removeClaim(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw new KmcError('E_STORAGE', 'The lock of a folder could not be given back.', { cause: error });
  }
}

function inUse(): KmcError {
  return new KmcError('E_CONFLICT', 'Another process uses this folder. Stop it first, or wait until it has ended.');
}

function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
