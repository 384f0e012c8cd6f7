import type { Caller } from '../../domain/caller.ts';
import type { PoolName } from '../../domain/key-pool.ts';
import { fillPool, type FilledBatch, type FillPoolPorts } from './fill-pool.ts';

/**
 * Makes one batch of a pool now, up to the high mark, after the known-answer tests of the engine.
 * @returns nothing when the pool is full.
 * @throws KmcError E_SEALED, E_SELF_TEST, E_STORAGE, E_AUDIT.
 */
export async function refillPool(
  ports: FillPoolPorts,
  caller: Caller,
  { pool, requestId }: { readonly pool: PoolName; readonly requestId?: string },
): Promise<FilledBatch | undefined> {
  const selfTest = async (): Promise<Date> => {
    await ports.engine.selfTest();
    return ports.clock.now();
  };
  const request = requestId === undefined ? {} : { requestId };
  return await fillPool(ports, { pool, isFilling: true, selfTest, ...request }, caller);
}
