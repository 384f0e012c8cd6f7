/** A copy of the log as the verifier wants it, read piece by piece. Stands on node:fs and the verifier alone. */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LogCopy, Pinned } from '../verifier/verify-log.ts';

const PIECE = 1_048_576;

/** True for a folder. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The folder that `kmc audit pull` made. */
export function logCopy(folder: string): LogCopy {
  const events = join(folder, 'events.jsonl');
  return {
    read(path) {
      try {
        return readFileSync(join(folder, ...path.split('/')));
      } catch {
        return undefined;
      }
    },
    events: existsSync(events) ? piecesOf(events) : undefined,
    hasTiles: existsSync(join(folder, 'tiles')),
  };
}

function* piecesOf(file: string): Generator<Uint8Array> {
  const descriptor = openSync(file, 'r');
  try {
    for (;;) {
      const piece = Buffer.alloc(PIECE);
      const length = readSync(descriptor, piece, 0, PIECE, null);
      if (length === 0) return;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** What an earlier run wrote down; undefined for a text of another form. */
export function pinnedOf(json: string): Pinned | undefined {
  try {
    const { origin, root, size } = JSON.parse(json) as Readonly<Record<string, unknown>>;
    const fits = typeof origin === 'string' && typeof root === 'string' && /^sm3:[0-9a-f]{64}$/.test(root);
    return fits && /^\d{1,15}$/.test(String(size)) ? { origin, root, size: Number(size) } : undefined;
  } catch {
    return undefined;
  }
}
