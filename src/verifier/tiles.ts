/** Tile files beside the events: each must hold exactly what the events give (C2SP tlog-tiles, with SM3). */
import { EXIT, type Findings } from './findings.ts';
import { concat, equal } from './octets.ts';
import { Tree } from './tree.ts';

const WIDTH = 256;
const HASH = 32;

export type ReadFile = (path: string) => Uint8Array | undefined;

function pathOf(level: number | 'entries', index: number, width: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
  return `tiles/${level}/${path}${width === WIDTH ? '' : `.p/${width}`}`;
}

/** How many hashes a level of tiles has in a tree of that size. */
function hashesOn(level: number, size: number): number {
  return Math.floor(size / WIDTH ** level);
}

export class TileFiles {
  readonly #read: ReadFile;
  readonly #size: number;
  readonly #findings: Findings;
  readonly #rows: Uint8Array[][] = [];
  readonly #done: number[] = [];
  #bundle: Uint8Array[] = [];
  #bundles = 0;
  #missing = 0;
  #compared = 0;

  constructor(read: ReadFile, size: number, findings: Findings) {
    this.#read = read;
    this.#size = size;
    this.#findings = findings;
  }

  get compared(): number {
    return this.#compared;
  }

  entry(octets: Uint8Array, leaf: Uint8Array): void {
    this.#bundle.push(Uint8Array.of(octets.length >> 8, octets.length & 0xff), octets);
    if (this.#bundle.length === 2 * WIDTH) this.#compareBundle();
    this.#hash(0, leaf);
  }

  /** A perfect subtree that was completed: on every eighth level it stands in a tile. */
  subtree(level: number, node: Uint8Array): void {
    if (level % 8 === 0) this.#hash(level / 8, node);
  }

  /** The right edge, unless events are missing there. Call once, after the last event. */
  finish(isWhole: boolean): void {
    if (isWhole && this.#bundle.length > 0) this.#compareBundle();
    for (const [level, row] of this.#rows.entries()) if (isWhole && row.length > 0) this.#compareTile(level, row);
    if (this.#missing > 0) this.#findings.add(EXIT.undecided, `${this.#missing} tile files are missing`);
  }

  /** True when the hash tiles of the lowest level alone give the root, whatever the events are. */
  giveRoot(root: Uint8Array): boolean {
    const tree = new Tree();
    for (let index = 0; tree.size < this.#size; index += 1) {
      const width = Math.min(WIDTH, this.#size - index * WIDTH);
      const file = this.#read(pathOf(0, index, width));
      if (file?.length !== width * HASH) return false;
      for (let at = 0; at < width; at += 1) tree.append(file.subarray(at * HASH, (at + 1) * HASH));
    }
    return equal(tree.root(), root);
  }

  #hash(level: number, hash: Uint8Array): void {
    const row = (this.#rows[level] ??= []);
    row.push(hash);
    if (row.length === WIDTH) this.#compareTile(level, row);
  }

  #compareTile(level: number, row: readonly Uint8Array[]): void {
    const index = this.#done[level] ?? 0;
    this.#done[level] = index + 1;
    this.#rows[level] = [];
    this.#compare(pathOf(level, index, this.#widthOf(level, index)), concat(...row), index * WIDTH ** (level + 1));
  }

  #compareBundle(): void {
    const [index, content] = [this.#bundles, concat(...this.#bundle)];
    this.#bundles += 1;
    this.#bundle = [];
    this.#compare(pathOf('entries', index, this.#widthOf(0, index)), content, index * WIDTH);
  }

  /** Another length is another form (16), other octets are other content (10). */
  #compare(path: string, wanted: Uint8Array, first: number): void {
    const file = this.#read(path);
    if (file === undefined) {
      this.#missing += 1;
      return;
    }
    this.#compared += 1;
    if (equal(file, wanted)) return;
    const isForm = path.startsWith('tiles/entries/') ? isBundle(file) : file.length % HASH === 0 && file.length > 0;
    if (isForm && (file.length === wanted.length || path.startsWith('tiles/entries/'))) {
      this.#findings.add(EXIT.content, `${path} and the events differ`, first);
    } else {
      this.#findings.add(EXIT.malformed, `${path} does not have the length of its name`);
    }
  }

  #widthOf(level: number, index: number): number {
    return Math.min(WIDTH, hashesOn(level, this.#size) - index * WIDTH);
  }
}

/** Entries, each behind its length in two octets, and nothing behind the last. */
function isBundle(file: Uint8Array): boolean {
  let at = 0;
  while (at + 2 <= file.length) {
    const length = (file[at] ?? 0) * 256 + (file[at + 1] ?? 0);
    if (length === 0) return false;
    at += 2 + length;
  }
  return at === file.length;
}
