/**
 * The uses of managed keys in one process that are not written yet: how many it may still make of those that it reserved,
 * and how many it made, for each key, caller and minute (audit events with counters, not one for each use).
 */
import type { KeyOperation } from './managed-key.ts';

/** Uses that are about to be made. */
export interface AskedUses {
  /** Of a managed key. */
  readonly versionId: string;
  readonly number: number;
  readonly operation: KeyOperation;
  readonly count: number;
  /** Uses of the version at the most; absent where nothing limits them. */
  readonly limit: number | undefined;
  readonly caller: UseCaller;
}

export interface UseCaller {
  /** Of the application. */
  readonly id: string;
  readonly certificateSm3: string;
}

/** What one caller made of one version within a minute. */
export interface UseCount {
  readonly versionId: string;
  readonly number: number;
  readonly caller: UseCaller;
  /** Begin of the minute. */
  readonly minute: Date;
  readonly operations: ReadonlyMap<KeyOperation, number>;
  /** Of them, those that did not decrypt or verify. */
  readonly failures: number;
}

/** A reserved block, and how much of it is left. */
export interface OpenBlock<Block> {
  /** Where in the tally it belongs. */
  readonly key: string;
  readonly block: Block;
  readonly left: number;
}

export interface DrainedUses<Block> {
  readonly counts: readonly UseCount[];
  readonly blocks: readonly OpenBlock<Block>[];
}

const MINUTE_MS = 60_000;

interface Counting {
  readonly count: Omit<UseCount, 'operations' | 'failures'>;
  readonly operations: Map<KeyOperation, number>;
  failures: number;
}

export class KeyUseTally<Block> {
  /** By version, and whether a limit holds. */
  readonly #blocks = new Map<string, { readonly key: string; readonly block: Block; left: number }[]>();
  readonly #counts = new Map<string, Counting>();
  readonly #reserving = new Map<string, Promise<void>>();

  /** Takes the uses out of what is reserved and counts them; false, and nothing is taken, when too few are reserved. */
  take(asked: AskedUses, at: Date): boolean {
    const blocks = this.#blocks.get(blockKey(asked)) ?? [];
    if (blocks.reduce((sum, { left }) => sum + left, 0) < asked.count) return false;
    let wanted = asked.count;
    for (const open of blocks) {
      const taken = Math.min(open.left, wanted);
      open.left -= taken;
      wanted -= taken;
    }
    const { operations } = this.#counting(asked, at);
    operations.set(asked.operation, (operations.get(asked.operation) ?? 0) + asked.count);
    return true;
  }

  /** Counts uses that came to nothing, among those that were taken. */
  fail(asked: Omit<AskedUses, 'limit' | 'operation'>, at: Date): void {
    this.#counting(asked, at).failures += asked.count;
  }

  /** Reserves through `reserve`; callers who need the same at the same time wait for the one reservation. */
  async reserve(
    asked: AskedUses,
    reserve: () => Promise<{ readonly block: Block; readonly size: number }>,
  ): Promise<void> {
    const key = blockKey(asked);
    const known = this.#reserving.get(key);
    if (known !== undefined) {
      await known;
      return;
    }
    const reserving = reserve().then(({ block, size }) => {
      this.#add({ key, block, left: size });
    });
    this.#reserving.set(key, reserving);
    try {
      await reserving;
    } finally {
      this.#reserving.delete(key);
    }
  }

  /** True when a minute in which something was used is over. */
  hasCompleted(at: Date): boolean {
    return [...this.#counts.values()].some(({ count }) => count.minute.getTime() + MINUTE_MS <= at.getTime());
  }

  /** Hands over all counts and blocks; from then on nothing is reserved. */
  drain(): DrainedUses<Block> {
    const counts = [...this.#counts.values()].map(({ count, operations, failures }) => ({
      ...count,
      operations,
      failures,
    }));
    const blocks = [...this.#blocks.values()].flat();
    this.#counts.clear();
    this.#blocks.clear();
    return { counts, blocks };
  }

  /** Takes back what could not be written. */
  restore({ counts, blocks }: DrainedUses<Block>): void {
    for (const open of blocks) this.#add(open);
    for (const { operations, failures, ...count } of counts) {
      const counting = this.#counting(count, count.minute);
      for (const [operation, made] of operations) {
        counting.operations.set(operation, (counting.operations.get(operation) ?? 0) + made);
      }
      counting.failures += failures;
    }
  }

  #add(open: OpenBlock<Block>): void {
    this.#blocks.set(open.key, [...(this.#blocks.get(open.key) ?? []), { ...open }]);
  }

  #counting({ versionId, number, caller }: Pick<AskedUses, 'versionId' | 'number' | 'caller'>, at: Date): Counting {
    const minute = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
    const key = `${versionId} ${caller.certificateSm3} ${minute}`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const count = { versionId, number, caller, minute: new Date(minute) };
    const counting = { count, operations: new Map<KeyOperation, number>(), failures: 0 };
    this.#counts.set(key, counting);
    return counting;
  }
}

function blockKey({ versionId, limit }: Pick<AskedUses, 'versionId' | 'limit'>): string {
  return limit === undefined ? versionId : `${versionId} limited`;
}
