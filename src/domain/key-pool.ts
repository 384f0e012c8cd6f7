/** Pools of keys made ahead (备用库): which there are, and what policy says of each. */
import { KmcError } from '../errors.ts';

export interface KeyPool {
  readonly algorithm: 'SM2';
  readonly usage: 'encryption';
}

/** By algorithm and usage. A key pair for signing never stands in a pool: whoever signs makes it. */
export const KEY_POOLS = {
  'sm2-encryption': { algorithm: 'SM2', usage: 'encryption' },
} as const satisfies Readonly<Record<string, KeyPool>>;

export type PoolName = keyof typeof KEY_POOLS;
export const POOL_NAMES = ['sm2-encryption'] as const satisfies readonly PoolName[];

export interface PoolRule {
  /** Below this many issuable keys the pool is filled and the alarm is on. */
  readonly low: number;
  /** Up to here it is filled. */
  readonly high: number;
  /** Keys made and stored at a time. */
  readonly batch: number;
  /** An empty pool makes a key while its owner waits, instead of E_POOL_EMPTY. */
  readonly onDemand: boolean;
  /** A key is issuable only once a verified backup holds it; otherwise once it is durable. */
  readonly needsBackup: boolean;
}

export type PoolRules = Readonly<Record<PoolName, PoolRule>>;

/** What stands in a pool. */
export interface PoolFigures {
  /** Issuable keys. */
  readonly spare: number;
  /** Keys that wait for a verified backup. */
  readonly generated: number;
}

/** Seconds after which a caller may find the pool filled. */
const RETRY_AFTER = 30;

/** True for a name of the table. */
export function isPoolName(name: string): name is PoolName {
  return Object.hasOwn(KEY_POOLS, name);
}

/** True while too few keys can be issued: for the alarm. */
export function isBelowLow({ low }: PoolRule, { spare }: PoolFigures): boolean {
  return spare < low;
}

/**
 * How many keys the next batch has: none between the marks, unless a filling that began below the low mark goes on.
 * Keys that wait for their backup count, or a late backup would fill the pool without end.
 */
export function nextBatch(rule: PoolRule, { spare, generated }: PoolFigures, isFilling: boolean): number {
  const standing = spare + generated;
  if (standing >= rule.high || (!isFilling && standing >= rule.low)) return 0;
  return Math.min(rule.batch, rule.high - standing);
}

/** The refusal of an empty pool. */
export function poolEmpty(): KmcError {
  return new KmcError('E_POOL_EMPTY', 'The key pool is empty and is being filled. Send the same request again later.', {
    retryAfter: RETRY_AFTER,
  });
}
