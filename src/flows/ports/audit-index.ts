/** The index of the audit log: what was found under each key, as of the newest epoch (audit-log 3.12). */
import type { AuditEntry } from './audit.ts';

/** An epoch: the index over the first `size` leaves. */
export interface IndexEpoch {
  /** 1, 2, 3 … */
  readonly epoch: number;
  readonly size: number;
  readonly entries: number;
  /** Root of the tree over the entries, 32 octets. */
  readonly root: Buffer;
  /** The event that says so. */
  readonly auditEvent: string;
  readonly closedAt: Date;
}

/** What stands under a key: how many events, and the right edge of the tree over their leaf indexes. */
export interface IndexedKey {
  readonly key: string;
  readonly count: number;
  /** The nodes of the compact range of `count` leaves, largest subtree first, 32 octets each. */
  readonly nodes: Buffer;
}

/** Part of the tree over the entries; partial on its right edge. */
export interface IndexTile {
  readonly level: number;
  readonly index: number;
  /** 32 octets a hash, up to 8,192. */
  readonly hashes: Buffer;
}

export interface AuditIndexReader {
  newestEpoch(): Promise<IndexEpoch | undefined>;
  /** Of these keys those that stand in the index. */
  findKeys(keys: readonly string[]): Promise<IndexedKey[]>;
  /** Keys behind `after` in octet order, at most `limit`. */
  keysAfter(after: string, limit: number): Promise<IndexedKey[]>;
  /** The key before `key` in octet order. */
  keyBefore(key: string): Promise<IndexedKey | undefined>;
  /** How many keys stand before `key`. */
  rank(key: string): Promise<number>;
  tile(level: number, index: number): Promise<Buffer | undefined>;
  /** The events under a key from leaf index `from` on, in their order, at most `limit`. */
  entriesOf(key: string, from: number, limit: number): Promise<AuditEntry[]>;
}

export interface AuditIndexWriter extends AuditIndexReader {
  /**
   * Puts the index of the next epoch in the place of the one that stands: the changed keys, with the leaf indexes that
   * each has got, and all tiles.
   * @returns false when another process has closed that epoch.
   */
  replace(
    epoch: IndexEpoch,
    changed: readonly (IndexedKey & { readonly added: readonly number[] })[],
    tiles: readonly IndexTile[],
  ): Promise<boolean>;
}
