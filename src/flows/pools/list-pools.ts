import { isBelowLow, POOL_NAMES, type PoolFigures, type PoolName, type PoolRule } from '../../domain/key-pool.ts';
import type { Instance } from '../instance.ts';
import type { KeyBatchRow } from '../ports/key-batches.ts';
import { poolFigures } from './pool-figures.ts';

export interface PoolStatus extends PoolFigures {
  readonly name: PoolName;
  readonly rule: PoolRule;
  /** The alarm. */
  readonly belowLow: boolean;
  readonly newestBatch: KeyBatchRow | undefined;
}

/** Every pool with its marks, its keys and its newest batch. */
export async function listPools({
  database,
  policies,
}: Pick<Instance, 'database' | 'policies'>): Promise<readonly PoolStatus[]> {
  return await database.read(async (reader) => {
    const all: PoolStatus[] = [];
    for (const name of POOL_NAMES) {
      const rule = policies.keys.pools[name];
      const figures = await poolFigures(reader, name);
      const [newestBatch] = await reader.keyBatches.newest(name, 1);
      all.push({ name, rule, ...figures, belowLow: isBelowLow(rule, figures), newestBatch });
    }
    return all;
  });
}
