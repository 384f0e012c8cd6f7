/** The audit log: how flows write into it and read from it, and what stands behind them (audit-log 3.1). */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import type { SubjectType } from '../../domain/audit/record.ts';

/** What a flow gets for an event; it means something only once the transaction has committed. */
export interface AuditReceipt {
  readonly eventId: string;
  /** `sm3:<hex>` of the leaf: whoever holds it can demand the event in every later checkpoint. */
  readonly leaf: string;
  /** The number of the event in the chain of each subject. */
  readonly subjects: readonly { readonly type: SubjectType; readonly id: string; readonly n: number }[];
}

/** An event with a place in the tree. */
export interface AuditEntry {
  readonly index: number;
  readonly eventId: string;
  /** The canonical bytes. */
  readonly canon: Buffer;
  /** SM3(0x00 || canon), 32 octets. */
  readonly leaf: Buffer;
}

/** What is told apart from an event so that it can be found: never evidence. */
export interface AuditEventColumns {
  readonly index: number;
  readonly id: string;
  readonly ts: string;
  readonly cls: string;
  readonly act: string;
  readonly ph: string;
  readonly ref: string | undefined;
  readonly outcome: string;
}

/** An event as written; without `index` it waits for the sequencer, or was quarantined by it. */
export interface AuditEventRow {
  readonly eventId: string;
  readonly canon: Buffer;
  readonly leaf: Buffer;
  readonly index: number | undefined;
}

/** A published checkpoint: the public copy, while the signer keeps its own. */
export interface StoredCheckpoint {
  readonly size: number;
  /** Seconds since 1970, as signed. */
  readonly time: number;
  /** The signed note. */
  readonly note: string;
}

/** A full tile of 256 hashes. Partial ones are made from the leaves, or from the roots of the tiles below. */
export interface AuditTile {
  readonly level: number;
  readonly index: number;
  /** 8,192 octets. */
  readonly hashes: Buffer;
  /** The hash that stands for it on the level above, 32 octets. */
  readonly root: Buffer;
}

export interface AuditReader {
  /** How many events have a place in the tree: the first one has index 0. */
  size(): Promise<number>;
  /** How many wait for one. */
  pending(): Promise<number>;
  /** How many were put aside by the sequencer. */
  quarantined(): Promise<number>;
  /** How many were ever written: those with a place, those that wait and those put aside. */
  written(): Promise<number>;
  /** Events in the order of the tree, from index `from`, at most `limit` (1 to 10,000). */
  entries(from: number, limit: number): Promise<AuditEntry[]>;
  /** The columns beside the canonical bytes, by place from index `from`, at most `limit`: for the check that they agree. */
  columns(from: number, limit: number): Promise<AuditEventColumns[]>;
  find(eventId: string): Promise<AuditEventRow | undefined>;
  /** The events of one subject in the order of its chain, from number `from`, at most `limit`. */
  history(type: SubjectType, id: string, from: number, limit: number): Promise<AuditEventRow[]>;
  /** Leaf hashes from index `from`, at most `limit` (1 to 100,000). */
  leaves(from: number, limit: number): Promise<Buffer[]>;
  tile(level: number, index: number): Promise<AuditTile | undefined>;
  /** Roots of full tiles of a level from index `from`, at most `limit`. */
  tileRoots(level: number, from: number, limit: number): Promise<Buffer[]>;
  newestCheckpoint(): Promise<StoredCheckpoint | undefined>;
  /** The smallest checkpoint, and of these the oldest, over at least `size` events. */
  checkpointOver(size: number): Promise<StoredCheckpoint | undefined>;
  /** Checkpoints signed after `time`, oldest first, at most `limit` (1 to 10,000). */
  checkpointsAfter(time: number, limit: number): Promise<StoredCheckpoint[]>;
}

/** An event and its time. */
export interface DatedEvent {
  readonly event: AuditEventInput;
  readonly at: Date;
}

export interface AuditAppender extends AuditReader {
  /**
   * Writes an event in this transaction: it is there if and only if the transaction commits. Locks the chains of its
   * subjects until then, so append as late as possible. `at` is the time of the event.
   * @throws KmcError E_SCHEMA for what the registry of actions does not allow; E_SIZE; E_SEALED when the keystore is
   * sealed and the action is not one that may be recorded then; E_CONFLICT when the id stands there already.
   */
  append(event: AuditEventInput, at: Date): Promise<AuditReceipt>;
  /** As `append` for 1 to 50 events, one after the other in this order, in as few statements as for one. */
  appendAll(events: readonly DatedEvent[]): Promise<readonly AuditReceipt[]>;
  /** The receipts of what this transaction has appended so far. */
  receipts(): readonly AuditReceipt[];
}

/** An event that waits for its place in the tree. */
export interface PendingEvent {
  readonly eventId: string;
  readonly canon: Buffer;
  readonly leaf: Buffer;
  readonly mac: RowMac | undefined;
}

export interface RowMac {
  /** HMAC-SM3, 32 octets. */
  readonly mac: Buffer;
  /** Version of the audit-mac key. */
  readonly version: number;
}

/**
 * The MAC over each row, which tells events of the service from rows that somebody wrote into the database. Its key is
 * the audit-mac key of the keystore, so there is none while that is sealed.
 */
export interface AuditRowMac {
  /** The MAC under the current key; undefined while the keystore is sealed. */
  compute(message: Buffer): Promise<RowMac | undefined>;
  /** Undefined when the key of that version is not there. */
  verify(message: Buffer, mac: RowMac): Promise<boolean | undefined>;
}

/** The checkpoints whose signatures this process has verified: a lower bound for the time of its events. */
export interface VerifiedCheckpoint {
  /** The newest one that was signed at `at` or before: the event of a flow may be older than its transaction. */
  newest(at: Date): { readonly size: number; readonly root: Buffer } | undefined;
}

/** What the sequencer does in one transaction. */
export interface SequencingBatch {
  size(): Promise<number>;
  /**
   * The oldest waiting events, at most `limit`. By membership: whatever has committed is seen, however late it committed
   * and however low its number is (audit-log 3.5).
   */
  pending(limit: number): Promise<PendingEvent[]>;
  /** Ends the waiting of these events. */
  settle(eventIds: readonly string[]): Promise<void>;
  /** Puts events aside that must not get into the tree. */
  quarantine(eventId: string, reason: string, at: Date): Promise<void>;
  /** Gives the events the indexes from `first` on. @throws KmcError E_CONFLICT when an index or event has a place already. */
  appendLeaves(first: number, leaves: readonly { readonly eventId: string; readonly leaf: Buffer }[]): Promise<void>;
  leaves(from: number, limit: number): Promise<Buffer[]>;
  tileRoots(level: number, from: number, limit: number): Promise<Buffer[]>;
  addTile(tile: AuditTile): Promise<void>;
}

/** Behind the flows: the sequencer and the signer, nobody else. */
export interface AuditLog {
  /**
   * Runs one batch in a transaction; durable on return. Undefined, without running `work`, while another process is
   * sequencing. `work` may run again after a collision.
   */
  sequence<T>(work: (batch: SequencingBatch) => Promise<T>): Promise<T | undefined>;
  /** Publishes a checkpoint; one that is there already is no error. */
  publish(checkpoint: StoredCheckpoint): Promise<void>;
}

/** What the signer remembers of the last checkpoint it signed. */
export interface SignerState {
  readonly origin: string;
  readonly size: number;
  /** The nodes of the compact range of that size, largest subtree first. */
  readonly nodes: readonly Buffer[];
  /** Seconds since 1970. */
  readonly time: number;
  readonly note: string;
}

/**
 * The memory of the signer, outside of the database: whoever sets the database back cannot set this back with it. One
 * place for all processes that may sign.
 */
export interface AuditSignerState {
  /** @throws KmcError E_AUDIT, fatal, for a state that cannot be read; E_STORAGE. */
  load(): Promise<SignerState | undefined>;
  /**
   * Puts `next` in the place of `expected` (undefined: there must be none yet). Durable on return.
   * @throws KmcError E_AUDIT, fatal, when another one stands there: two signers are at work; E_STORAGE.
   */
  replace(expected: SignerState | undefined, next: SignerState): Promise<void>;
}

/** Where an export goes; paths are relative, with `/`. */
export interface AuditFolder {
  /** Writes a file with what comes, in order. */
  write(path: string, content: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void>;
}

/** A log to copy from: the service's own, or one over HTTP. */
export interface AuditSource {
  /** The newest signed note; undefined when nothing was signed yet. */
  checkpoint(): Promise<string | undefined>;
  /** The notes signed after `time` (seconds since 1970), oldest first; not necessarily all at once. */
  checkpointsAfter(time: number): Promise<readonly StoredCheckpoint[]>;
  /** A tile or entry bundle by its tilePath. @throws KmcError E_NOT_FOUND. */
  tile(path: string): Promise<Buffer>;
  /** Certificate of the log's key, PEM. */
  certificate(): Promise<string>;
  /** The audit policy, JSON. */
  policy(): Promise<string>;
}
