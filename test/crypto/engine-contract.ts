/**
 * What every engine promises, as one suite: the software engine passes it, and each engine that takes its place must pass
 * the same. It uses nothing but the port, and checks what comes out with the primitives of src/crypto.
 */
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import { describeEnvelopes } from './engine-contract/envelopes.ts';
import { describeBulk } from './engine-contract/bulk.ts';
import { describeData } from './engine-contract/data.ts';
import { describeHandles } from './engine-contract/handles.ts';
import { describeKeyFiles } from './engine-contract/key-files.ts';
import { describeKeys } from './engine-contract/keys.ts';
import { describeSealing } from './engine-contract/sealing.ts';
import { describeSecrets } from './engine-contract/secrets.ts';
import { describeShares } from './engine-contract/shares.ts';

/** Makes an engine of its own at each call. */
export type OpenEngine = () => CryptoEngine | Promise<CryptoEngine>;

/** Describes the contract for the engines that `open` makes. */
export function describeEngineContract(name: string, open: OpenEngine): void {
  describe(`the engine contract: ${name}`, () => {
    it('names itself and passes its self-test', async () => {
      const engine = await open();
      if (engine.name === '') throw new Error('An engine has a name.');
      await engine.selfTest();
    });

    describeHandles(open);
    describeKeys(open);
    describeEnvelopes(open);
    describeKeyFiles(open);
    describeSecrets(open);
    describeData(open);
    describeSealing(open);
    describeShares(open);
    describeBulk(open);
  });
}
