/** A file that grows under another name and appears under its own when it is whole. */
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { randomBytes } from '../crypto/random.ts';
import { KmcError } from '../errors.ts';
import { syncFolder } from './atomic-file.ts';

const PRIVATE = 0o600;

export class FileInTheMaking {
  readonly #path: string;
  readonly #temporary: string;
  #descriptor: number | undefined;

  /** @throws KmcError E_STORAGE. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    this.#descriptor = attempt(() => openSync(this.#temporary, 'wx', PRIVATE));
  }

  /** @throws KmcError E_STORAGE. */
  write(octets: Buffer): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) throw new KmcError('E_INTERNAL', 'A file is written after its end.');
    attempt(() => {
      for (let at = 0; at < octets.length;) at += writeSync(descriptor, octets, at);
    });
  }

  /** Makes it durable under its name. @throws KmcError E_EXISTS rather than overwrite; E_STORAGE. */
  finish(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    attempt(() => fsyncSync(descriptor));
    attempt(() => linkSync(this.#temporary, this.#path));
    this.discard();
    attempt(() => syncFolder(dirname(this.#path)));
  }

  /** Removes what was not finished. */
  discard(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(this.#temporary, { force: true });
  }
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EEXIST') throw new KmcError('E_EXISTS', 'There is a file of that name already.', { cause });
    throw new KmcError('E_STORAGE', 'A file cannot be written: check that the folder exists and has space.', { cause });
  }
}
