import { poolEmpty } from '../../domain/key-pool.ts';
import { KmcError } from '../../errors.ts';

/** Several that choose among the last few keys collide now and then; that one loses so often means that there are none. */
const TRIES = 16;

/**
 * Runs `work`, which chooses a key and takes it, again as long as somebody else takes the chosen key first.
 * @throws KmcError E_POOL_EMPTY after many tries, and what `work` throws.
 */
export async function retryTaken<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_KEY_TAKEN') throw error;
    }
  }
  throw poolEmpty();
}
