/** Key pairs in quantity: made, checked and sealed one after another, with room for other work between them. */
import type { CryptoEngine, SealedKeyPair } from '../engine.ts';

type Parts = Pick<CryptoEngine, 'generateKeyPair' | 'destroyKey' | 'sealKey'>;

/** The batch operation of the port, over the single operations of the same engine. */
export function batchOperations({
  generateKeyPair,
  destroyKey,
  sealKey,
}: Parts): Pick<CryptoEngine, 'generateSealedPairs'> {
  return {
    async generateSealedPairs(kek, contexts) {
      const pairs: SealedKeyPair[] = [];
      for (const context of contexts) {
        const key = await generateKeyPair('SM2');
        try {
          pairs.push({ spki: key.spki, sealedKey: await sealKey(kek, context, key) });
        } finally {
          destroyKey(key);
        }
        // A batch runs in the background: requests that came in meanwhile go first.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return pairs;
    },
  };
}
