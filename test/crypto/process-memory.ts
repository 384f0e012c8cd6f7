/** Looks for octets in the memory of this process (Linux). */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const CHUNK_BYTES = 1 << 22;
/** Writable mappings that are no file's. */
const ANONYMOUS = /^(\w+)-(\w+) rw\S+ \S+ 00:00 0/gm;

/** The octets in a form that the search below does not take for them. */
export function mask(octets: Buffer): Buffer {
  return Buffer.from(octets.map((octet) => octet ^ 0xa5));
}

/** How often the octets behind each of `masked` stand in the writable memory of this process. */
export function copiesInMemory(masked: readonly Buffer[]): number[] {
  const copies = masked.map(() => 0);
  const overlap = Math.max(...masked.map(({ length }) => length));
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const memory = openSync('/proc/self/mem', 'r');
  try {
    for (const [, from = '', to = ''] of readFileSync('/proc/self/maps', 'utf8').matchAll(ANONYMOUS)) {
      const end = Number.parseInt(to, 16);
      for (let at = Number.parseInt(from, 16); at < end; at += CHUNK_BYTES - overlap) {
        const read = readIfMapped(memory, chunk, Math.min(CHUNK_BYTES, end - at), at);
        for (const [which, octets] of masked.entries()) copies[which]! += copiesIn(chunk.subarray(0, read), octets);
        chunk.fill(0, 0, read);
      }
    }
    return copies;
  } finally {
    closeSync(memory);
  }
}

function copiesIn(memory: Buffer, masked: Buffer): number {
  // Four octets are searched for and the rest compared under the mask, or the search would find itself.
  const start = mask(masked.subarray(0, 4));
  let copies = 0;
  for (let hit = memory.indexOf(start); hit >= 0; hit = memory.indexOf(start, hit + 1)) {
    copies += masked.every((octet, offset) => ((memory[hit + offset] ?? 0) ^ 0xa5) === octet) ? 1 : 0;
  }
  return copies;
}

/** Reads memory; 0 when the mapping has gone since it was listed. */
function readIfMapped(memory: number, chunk: Buffer, length: number, at: number): number {
  try {
    return readSync(memory, chunk, 0, length, at);
  } catch {
    return 0;
  }
}

/** Collects garbage now: a collector that moved what a test looks at would leave the old octets behind. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
