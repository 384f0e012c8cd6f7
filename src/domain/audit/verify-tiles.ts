/** Compares tile files and entry bundles with those that the events give. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { AUDIT_EXIT, type FindingList } from './findings.ts';
import {
  decodeEntryBundle,
  encodeEntryBundle,
  hashesOnTileLevel,
  nodesFromTiles,
  tilePath,
  TILE_WIDTH,
} from './tiles.ts';
import type { TileCoordinates } from './tiles.ts';
import { HASH_OCTETS, rootFromNodes } from './tree.ts';

/** The content of a tile file by its tilePath; undefined when it is not there. */
export type TileFile = (path: string) => Buffer | undefined;

export class TileComparison {
  readonly #read: TileFile;
  readonly #size: number;
  readonly #findings: FindingList;
  readonly #rows: Buffer[][] = [];
  readonly #done: number[] = [];
  #entries: Buffer[] = [];
  #bundles = 0;
  #missing = 0;
  #compared = 0;

  /** `size` is that of the signed tree: beyond it there are no tiles. */
  constructor(read: TileFile, size: number, findings: FindingList) {
    this.#read = read;
    this.#size = size;
    this.#findings = findings;
  }

  get compared(): number {
    return this.#compared;
  }

  entry(canon: Buffer, leaf: Buffer): void {
    this.#entries.push(canon);
    if (this.#entries.length === TILE_WIDTH) this.#compareBundle();
    this.#hash(0, leaf);
  }

  /** A completed subtree of the tree; those on tile levels are hashes of tiles. */
  subtree(level: number, node: Buffer): void {
    if (level % 8 === 0) this.#hash(level / 8, node);
  }

  /** Compares what is left at the right edge. Call once, after the last entry. */
  finish(): void {
    if (this.#entries.length > 0) this.#compareBundle();
    for (const [level, row] of this.#rows.entries()) if (row.length > 0) this.#compareTile(level, row);
    if (this.#missing > 0) this.#findings.add(AUDIT_EXIT.undecided, `${this.#missing} tile files are missing`);
  }

  /** True when the tile files alone give the signed root, whatever the events say. */
  async giveRoot(root: Buffer): Promise<boolean> {
    const read = async (level: number, index: number, width: number): Promise<Buffer> => {
      const file = this.#read(tilePath({ level, index, width }));
      if (file?.length !== width * HASH_OCTETS) throw new KmcError('E_NOT_FOUND', 'A tile file is missing.');
      return file;
    };
    try {
      return (await rootFromNodes(sm3, this.#size, nodesFromTiles(sm3, this.#size, read))).equals(root);
    } catch (error) {
      if (error instanceof KmcError) return false;
      throw error;
    }
  }

  #hash(level: number, hash: Buffer): void {
    const row = (this.#rows[level] ??= []);
    row.push(hash);
    if (row.length === TILE_WIDTH) this.#compareTile(level, row);
  }

  #compareTile(level: number, row: readonly Buffer[]): void {
    const index = this.#done[level] ?? 0;
    this.#done[level] = index + 1;
    this.#rows[level] = [];
    const file = this.#file({ level, index, width: this.#widthOf(level, index) });
    if (file === undefined) return;
    const wanted = Buffer.concat(row);
    if (file.subarray(0, wanted.length).equals(wanted)) return;
    const at = row.findIndex(
      (hash, place) => !file.subarray(place * HASH_OCTETS, (place + 1) * HASH_OCTETS).equals(hash),
    );
    const first = (index * TILE_WIDTH + at) * TILE_WIDTH ** level;
    this.#findings.add(
      AUDIT_EXIT.content,
      `tile ${tilePath({ level, index, width: TILE_WIDTH })} and the events differ`,
      first,
    );
  }

  #compareBundle(): void {
    const index = this.#bundles;
    const entries = this.#entries;
    this.#bundles += 1;
    this.#entries = [];
    const tile: TileCoordinates = { level: 'entries', index, width: this.#widthOf(0, index) };
    const wanted = encodeEntryBundle(entries);
    const file = this.#file(tile, entries.length === tile.width ? wanted : undefined);
    if (file === undefined || file.subarray(0, wanted.length).equals(wanted)) return;
    this.#findings.add(AUDIT_EXIT.content, `bundle ${tilePath(tile)} and the events differ`, index * TILE_WIDTH);
  }

  /** Reads a file and checks that it has its full width and nothing more, as one that equals `wanted` has. */
  #file(tile: TileCoordinates, wanted?: Buffer): Buffer | undefined {
    const file = this.#read(tilePath(tile));
    if (file === undefined) {
      this.#missing += 1;
      return undefined;
    }
    this.#compared += 1;
    if (wanted?.equals(file) === true || hasWidth(tile, file)) return file;
    this.#findings.add(AUDIT_EXIT.malformed, `the file ${tilePath(tile)} does not hold exactly ${tile.width} entries`);
    return undefined;
  }

  #widthOf(level: number, index: number): number {
    return Math.min(TILE_WIDTH, hashesOnTileLevel(level, this.#size) - index * TILE_WIDTH);
  }
}

function hasWidth({ level, width }: TileCoordinates, file: Buffer): boolean {
  if (level !== 'entries') return file.length === width * HASH_OCTETS;
  try {
    return decodeEntryBundle(file, width).length === width;
  } catch (error) {
    if (error instanceof KmcError) return false;
    throw error;
  }
}
