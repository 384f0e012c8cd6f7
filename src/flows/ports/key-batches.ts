/** Where the keys of a pool come from: one row for each batch that was made and stored in one transaction. */
import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';
import type { PoolName } from '../../domain/key-pool.ts';

export interface KeyBatchRow {
  readonly id: string;
  readonly pool: PoolName;
  readonly algorithm: KeyAlgorithmName;
  /** Name of the engine that made them. */
  readonly generator: string;
  /** When that engine passed its known-answer tests before the batch; each pair passed a pairwise test besides. */
  readonly selfTestedAt: Date;
  /** Version of the `escrow-store` key they were first sealed under. */
  readonly kekVersion: number;
  readonly count: number;
  readonly node: string;
  readonly createdAt: Date;
  /** The verified backup that holds the whole batch, once somebody said so. */
  readonly backupId: string | undefined;
  readonly releasedAt: Date | undefined;
  readonly lastAuditEvent: string;
}

/** One row for each batch whose keys are not as many as it was made of. */
export interface BatchBalance {
  readonly batchId: string;
  readonly made: number;
  readonly found: number;
}

export interface KeyBatchReader {
  find(id: string): Promise<KeyBatchRow | undefined>;
  /** Batches made until then that no backup is stated for, oldest first. */
  waiting(pool: PoolName, madeUntil: Date, limit: number): Promise<KeyBatchRow[]>;
  /** Newest first. */
  newest(pool: PoolName, limit: number): Promise<KeyBatchRow[]>;
  /** Batches that lost or gained keys: none, ever (I8). */
  unbalanced(): Promise<BatchBalance[]>;
}

export interface KeyBatchWriter extends KeyBatchReader {
  insert(row: KeyBatchRow): Promise<boolean>;
  /** States the backup, once, and makes the generated keys of the batch spare ones. @returns how many keys. */
  release(id: string, backupId: string, at: Date, auditEvent: string): Promise<number | undefined>;
}
