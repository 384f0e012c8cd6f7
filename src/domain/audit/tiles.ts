/**
 * Tiles: the tree cut into immutable files of 256 hashes, and the entries into bundles of 256 (C2SP tlog-tiles, here a
 * profile with SM3 instead of SHA-256). Everything that proves something is made from them.
 */
import { KmcError } from '../../errors.ts';
import { HASH_OCTETS, nodeHash, type HashFunction, type NodeReader } from './tree.ts';

export const TILE_WIDTH = 256;
/** Tree levels in one tile: 2^8 = 256. */
const TILE_LEVELS = 8;
const MAX_TILE_LEVEL = 6;
const MAX_ENTRY_OCTETS = 65_535;

export interface TileCoordinates {
  /** Level of the tile (its hashes stand on tree level 8 * level), or the bundles with the entries themselves. */
  readonly level: number | 'entries';
  readonly index: number;
  /** Hashes or entries in it, 1 to 256; below 256 it is partial and will be replaced by a wider one. */
  readonly width: number;
}

/** Hash tile `level`/`index` with at least `width` hashes, 32 octets each. */
export type TileReader = (level: number, index: number, width: number) => Promise<Buffer>;

/** `<level>/<index>[.p/<width>]`, the index in groups of three digits: 1234067 is `x001/x234/067`. */
export function tilePath({ level, index, width }: TileCoordinates): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
  return `${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** The tile that a path names, or undefined if it is not exactly how tilePath writes it. */
export function parseTilePath(path: string): TileCoordinates | undefined {
  const match = /^(entries|[0-6])\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (match === null) return undefined;
  const [, level = '', groups = '', width] = match;
  const tile: TileCoordinates = {
    level: level === 'entries' ? level : Number(level),
    index: Number(groups.replaceAll(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  return tile.width <= TILE_WIDTH && tilePath(tile) === path ? tile : undefined;
}

/** How many hashes stand on level `level` of the tiles of a tree with `size` leaves. */
export function hashesOnTileLevel(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** True if a tree of `size` leaves has the tile in exactly this width. */
export function tileExists({ level, index, width }: TileCoordinates, size: number): boolean {
  const available = hashesOnTileLevel(level === 'entries' ? 0 : level, size) - index * TILE_WIDTH;
  return width === TILE_WIDTH ? available >= TILE_WIDTH : available >= width;
}

/** Every tile and entry bundle of a tree with `size` leaves: full ones, and the partial one at the edge of each level. */
export function* tilesOf(size: number): Generator<TileCoordinates> {
  yield* tilesOfLevel('entries', size);
  for (let level = 0; level <= MAX_TILE_LEVEL && hashesOnTileLevel(level, size) > 0; level += 1) {
    yield* tilesOfLevel(level, size);
  }
}

/** The tiles of one level, from left to right. */
export function* tilesOfLevel(level: number | 'entries', size: number): Generator<TileCoordinates> {
  const count = hashesOnTileLevel(level === 'entries' ? 0 : level, size);
  for (let index = 0; index * TILE_WIDTH < count; index += 1) {
    yield { level, index, width: Math.min(TILE_WIDTH, count - index * TILE_WIDTH) };
  }
}

/** Reads tree nodes out of tiles of a tree with `size` leaves; each tile is fetched once for each reader made. */
export function nodesFromTiles(hash: HashFunction, size: number, readTile: TileReader): NodeReader {
  const fetched = new Map<string, Promise<Buffer>>();
  return async (level, index) => {
    const tileLevel = Math.floor(level / TILE_LEVELS);
    const span = 2 ** (level % TILE_LEVELS);
    const tileIndex = Math.floor((index * span) / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, hashesOnTileLevel(tileLevel, size) - tileIndex * TILE_WIDTH);
    const key = `${tileLevel}/${tileIndex}`;
    const tile = fetched.get(key) ?? readTile(tileLevel, tileIndex, width);
    fetched.set(key, tile);
    return subtreeOfTile(hash, await tile, index * span - tileIndex * TILE_WIDTH, span);
  };
}

/** The root of a full tile: the hash that stands for it on the level above. `tile` is 8,192 octets. */
export function tileRoot(hash: HashFunction, tile: Buffer): Buffer {
  return subtreeOfTile(hash, tile, 0, TILE_WIDTH);
}

/** Cuts a hash tile into its hashes. @throws KmcError E_SCHEMA unless it holds exactly `width`. */
export function hashesOfTile(tile: Buffer, width: number): Buffer[] {
  if (tile.length !== width * HASH_OCTETS) {
    throw new KmcError(
      'E_SCHEMA',
      `A tile of ${width} hashes has ${width * HASH_OCTETS} octets, this one ${tile.length}.`,
    );
  }
  return Array.from({ length: width }, (_, at) => tile.subarray(at * HASH_OCTETS, (at + 1) * HASH_OCTETS));
}

/** An entry bundle: each entry behind its length as two octets, big-endian. @throws KmcError E_SIZE */
export function encodeEntryBundle(entries: readonly Buffer[]): Buffer {
  const bundle = Buffer.alloc(entries.reduce((length, entry) => length + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_OCTETS) throw new KmcError('E_SIZE', 'A log entry is larger than a bundle can hold.');
    bundle.writeUInt16BE(entry.length, at);
    at += 2 + entry.copy(bundle, at + 2);
  }
  return bundle;
}

/** The entries of a bundle. @throws KmcError E_SCHEMA unless it holds exactly `width` and nothing behind them. */
export function decodeEntryBundle(bundle: Buffer, width: number): Buffer[] {
  const entries: Buffer[] = [];
  let at = 0;
  while (entries.length < width && at + 2 <= bundle.length) {
    const end = at + 2 + bundle.readUInt16BE(at);
    if (end > bundle.length) break;
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  if (entries.length === width && at === bundle.length) return entries;
  throw new KmcError('E_SCHEMA', `An entry bundle does not hold exactly ${width} entries.`);
}

function subtreeOfTile(hash: HashFunction, tile: Buffer, first: number, count: number): Buffer {
  const end = (first + count) * HASH_OCTETS;
  if (end > tile.length) throw new KmcError('E_INTEGRITY', 'A tile is narrower than the tree needs it.');
  let row = hashesOfTile(tile.subarray(first * HASH_OCTETS, end), count);
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) {
      const [left, right] = [row[at], row[at + 1]];
      if (left !== undefined && right !== undefined) above.push(nodeHash(hash, left, right));
    }
    row = above;
  }
  const [root] = row;
  if (root === undefined) throw new KmcError('E_INTEGRITY', 'A tile is empty.');
  return root;
}
