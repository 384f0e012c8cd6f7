import type { SystemCaller } from '../../domain/caller.ts';
import { isBelowLow, POOL_NAMES, type PoolFigures, type PoolName } from '../../domain/key-pool.ts';
import type { Instance } from '../instance.ts';
import { pause } from '../pause.ts';
import { fillPool } from './fill-pool.ts';
import { poolFigures } from './pool-figures.ts';

export interface KeepPoolsOptions {
  /** Between two looks at full pools. */
  readonly pauseMs: number;
  readonly signal: AbortSignal;
  /** Tells once when a pool falls below its low mark, and once when it is above it again. */
  alarm(pool: PoolName, isLow: boolean, figures: PoolFigures): void;
  /** A round that failed; the next one tries again. */
  trouble(error: unknown): void;
}

/** Fills pools that fell below their low mark up to the high one, batch by batch, until it is told to stop. */
export async function keepPools(ports: Instance, options: KeepPoolsOptions): Promise<void> {
  const keeper = new PoolKeeper(ports, options);
  while (!options.signal.aborted) {
    const filled = await keeper.round();
    if (!filled) await pause(options.pauseMs, options.signal);
  }
}

class PoolKeeper {
  readonly #ports: Instance;
  readonly #options: KeepPoolsOptions;
  readonly #caller: SystemCaller;
  readonly #filling = new Set<PoolName>();
  readonly #low = new Set<PoolName>();
  #selfTestedAt: Date | undefined;

  constructor(ports: Instance, options: KeepPoolsOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#caller = { type: 'system', id: ports.node };
  }

  /** One batch of each pool that needs it. @returns false when there was nothing to do, or nothing that could be done. */
  async round(): Promise<boolean> {
    if (this.#ports.keystore.state !== 'UNSEALED') return false;
    let filled = false;
    for (const pool of POOL_NAMES) {
      try {
        filled = (await this.#fill(pool)) || filled;
        await this.#watch(pool);
      } catch (error) {
        this.#options.trouble(error);
      }
    }
    return filled;
  }

  async #fill(pool: PoolName): Promise<boolean> {
    const isFilling = this.#filling.has(pool);
    const selfTest = () => this.#selfTest(isFilling);
    const batch = await fillPool(this.#ports, { pool, isFilling, selfTest }, this.#caller);
    if (batch === undefined) this.#filling.delete(pool);
    else this.#filling.add(pool);
    return batch !== undefined;
  }

  /** Each filling begins with the known-answer tests of the engine; its later batches state the same. */
  async #selfTest(isFilling: boolean): Promise<Date> {
    if (!isFilling || this.#selfTestedAt === undefined) {
      await this.#ports.engine.selfTest();
      this.#selfTestedAt = this.#ports.clock.now();
    }
    return this.#selfTestedAt;
  }

  async #watch(pool: PoolName): Promise<void> {
    const figures = await this.#ports.database.read((reader) => poolFigures(reader, pool));
    const isLow = isBelowLow(this.#ports.policies.keys.pools[pool], figures);
    if (isLow === this.#low.has(pool)) return;
    if (isLow) this.#low.add(pool);
    else this.#low.delete(pool);
    this.#options.alarm(pool, isLow, figures);
  }
}
