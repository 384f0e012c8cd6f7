/** Files that are wholly there or not at all, whenever the agent is killed. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { randomBytes } from '../crypto/random.ts';
import { KmcError } from '../errors.ts';

const PRIVATE = 0o600;

/** Makes what was renamed in a folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes a file in place of one of the same name, in one step and durably; readable by its owner only.
 * @throws KmcError E_STORAGE.
 */
export function writeAtomically(path: string, content: Buffer | string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(temporary, 'wx', PRIVATE);
    try {
      const octets = Buffer.isBuffer(content) ? content : Buffer.from(content, 'utf8');
      for (let at = 0; at < octets.length;) at += writeSync(descriptor, octets, at);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (cause) {
    throw new KmcError('E_STORAGE', 'A file cannot be written: check that the folder exists and has space.', { cause });
  }
}

/** The content of a file, or undefined when there is none. @throws KmcError E_STORAGE. */
export function readIfPresent(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new KmcError('E_STORAGE', 'A file cannot be read: check its owner and mode.', { cause });
  }
}
