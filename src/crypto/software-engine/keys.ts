/** Private keys of the software engine: making, using, importing, exporting under a passphrase. */
import { KmcError } from '../../errors.ts';
import { KEY_ALGORITHMS, signMessage } from '../algorithms.ts';
import { concat, wipe } from '../bytes.ts';
import type { CryptoEngine, KeyHandle } from '../engine.ts';
import { decryptSm2 } from '../gm/sm2-encrypt.ts';
import { readPkcs12 } from '../legacy/pkcs12.ts';
import { decryptPkcs8, ecScalar, encryptPkcs8, parsePkcs8 } from '../pkcs8.ts';
import type { PrivateKey } from '../private-key.ts';
import { assertPairwiseConsistent } from '../self-test.ts';
import { issueKey, issueSecret, type EngineState } from './handles.ts';

type KeyOperations = Pick<
  CryptoEngine,
  'generateKeyPair' | 'sign' | 'decryptSecret' | 'destroyKey' | 'importPkcs8' | 'exportPkcs8' | 'importPkcs12'
>;

/** The scalar of an SM2 key, a view that its destruction wipes. @throws KmcError E_USAGE for another kind of key. */
export function sm2ScalarOf(key: PrivateKey): Buffer {
  if (key.algorithm !== 'SM2')
    throw new KmcError('E_USAGE', `This needs an SM2 key; a key of kind ${key.algorithm} was given.`);
  return ecScalar(key);
}

/** A handle for a plain PKCS#8, which is checked and then wiped. */
export function admitKey(state: EngineState, pkcs8: Buffer): KeyHandle {
  try {
    return issueKey(state, parsePkcs8(pkcs8));
  } finally {
    wipe(pkcs8);
  }
}

/** The operations of the port on private keys. */
export function keyOperations(state: EngineState): KeyOperations {
  const { keys } = state;
  return {
    async generateKeyPair(algorithm, bits) {
      const { pkcs8 } = await KEY_ALGORITHMS[algorithm].generateKeyPair(bits);
      const handle = admitKey(state, pkcs8);
      try {
        assertPairwiseConsistent(keys.stateOf(handle));
        return handle;
      } catch (error) {
        keys.destroy(handle);
        throw error;
      }
    },
    async sign(key, algorithm, message) {
      return signMessage(algorithm, keys.stateOf(key), message);
    },
    async decryptSecret(key, ciphertext) {
      return issueSecret(state, decryptSm2(sm2ScalarOf(keys.stateOf(key)), ciphertext));
    },
    destroyKey(key) {
      keys.destroy(key);
    },
    async importPkcs8(encrypted, passphrase) {
      return admitKey(state, await decryptPkcs8(encrypted, passphrase));
    },
    async exportPkcs8(key, passphrase, shape) {
      // A copy, since the key may be destroyed while the passphrase is being stretched.
      const pkcs8 = concat(keys.stateOf(key).pkcs8);
      try {
        return await encryptPkcs8(pkcs8, passphrase, shape);
      } finally {
        wipe(pkcs8);
      }
    },
    async importPkcs12(pfx, passphrase) {
      const { pkcs8, certificates } = await readPkcs12(pfx, passphrase);
      return { key: admitKey(state, pkcs8), certificates };
    },
  };
}
