/** The `openssl` program as an independent oracle, with files in a directory of its own that is removed after use. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface OpensslFolder {
  write(name: string, content: Buffer): string;
  read(name: string): Buffer;
  path(name: string): string;
  /** Runs openssl and returns its standard output; throws when it exits with another code than 0. */
  run(...args: string[]): Buffer;
}

/** Gives `work` a folder and removes it afterwards. */
export function withOpenssl<T>(work: (folder: OpensslFolder) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'kmc-openssl-'));
  const path = (name: string): string => join(directory, name);
  try {
    return work({
      path,
      write(name, content) {
        writeFileSync(path(name), content, { mode: 0o600 });
        return path(name);
      },
      read: (name) => readFileSync(path(name)),
      run: (...args) => execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] }),
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `openssl pkeyutl` options of an SM2 signature under the default ID. */
export const SM2_SIGNATURE_OPTIONS = ['-rawin', '-digest', 'sm3', '-pkeyopt', 'distid:1234567812345678'];
