/**
 * The index of an epoch: a second tree, over one entry for each thing that events can be found under, in the order of
 * their keys. Its root stands in the log as an event, so that "these are all events of K up to here" has a proof (audit-log
 * 3.12). It is a function of the leaves alone: whoever has them derives the same root.
 */
import { HASH_OCTETS, leafHash, type HashFunction } from './tree.ts';
import { subjectKey, type AuditRecord } from './record.ts';
import { TILE_WIDTH, tileRoot } from './tiles.ts';

/** The rule by which entries are made, named in the event of each epoch. */
export const INDEX_RULE = 'v1';

export interface IndexEntry {
  readonly key: string;
  /** Events under the key. */
  readonly count: number;
  /** RFC 6962 root over the leaf indexes of these events, each as 8 octets, big-endian. */
  readonly root: Buffer;
}

/** The key of what a person, device or part of the service did itself. */
export function actorKey(type: string, id: string): string {
  return subjectKey({ t: 'actor', tag: `${type}:${id}` });
}

/** The key of something that events name without a chain of its own. */
export function termKey(type: string, id: string): string {
  return subjectKey({ t: 'term', tag: `${type}:${id}` });
}

/** Everything a record is found under, each once: its subjects, who did it, and its terms. */
export function indexKeysOf({ actor, subj, terms = [] }: AuditRecord): string[] {
  return [
    ...subj.map(subjectKey),
    actorKey(actor.t, actor.id),
    ...new Set(terms.map((term) => termKey(term.t, term.tag))),
  ];
}

/** The octets of an entry, UTF-8: key, count in decimal, root in base64, each with its newline. */
export function indexEntryOctets({ key, count, root }: IndexEntry): Buffer {
  return Buffer.from(`${key}\n${count}\n${root.toString('base64')}\n`, 'utf8');
}

/** The leaf hash of a leaf index in the tree of an entry: what an entry grows by with every event. */
export function placeHash(hash: HashFunction, index: number): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(index));
  return leafHash(hash, place);
}

export interface FinishedTile {
  readonly level: number;
  readonly index: number;
  /** 32 octets for each hash; less than 256 of them on the right edge. */
  readonly hashes: Buffer;
}

/** Cuts a growing tree into its tiles, full ones and those of the right edge. */
export class TileCutter {
  readonly #hash: HashFunction;
  readonly #rows: Buffer[][] = [];
  readonly #done: number[] = [];
  readonly #tiles: FinishedTile[] = [];

  constructor(hash: HashFunction) {
    this.#hash = hash;
  }

  /** The next leaf hash. */
  append(leaf: Buffer): void {
    this.#push(0, leaf);
  }

  /** All tiles. Call once, after the last leaf. */
  finish(): readonly FinishedTile[] {
    for (const [level, row] of this.#rows.entries()) if (row.length > 0) this.#cut(level, row);
    return this.#tiles;
  }

  #push(level: number, hash: Buffer): void {
    const row = (this.#rows[level] ??= []);
    row.push(hash);
    if (row.length < TILE_WIDTH) return;
    this.#push(level + 1, tileRoot(this.#hash, this.#cut(level, row)));
  }

  #cut(level: number, row: readonly Buffer[]): Buffer {
    const hashes = Buffer.concat(row, row.length * HASH_OCTETS);
    const index = this.#done[level] ?? 0;
    this.#done[level] = index + 1;
    this.#rows[level] = [];
    this.#tiles.push({ level, index, hashes });
    return hashes;
  }
}
