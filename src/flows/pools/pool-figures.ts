import { KEY_POOLS, type PoolFigures, type PoolName } from '../../domain/key-pool.ts';
import type { Reader } from '../ports/database.ts';

/** What stands in a pool now. */
export async function poolFigures(reader: Reader, pool: PoolName): Promise<PoolFigures> {
  const { algorithm } = KEY_POOLS[pool];
  return {
    spare: await reader.escrowedKeys.count(algorithm, 'spare'),
    generated: await reader.escrowedKeys.count(algorithm, 'generated'),
  };
}
