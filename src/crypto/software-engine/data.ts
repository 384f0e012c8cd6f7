/** Managed keys of the software engine at work: data ciphertexts, and data keys, the one kind of key that may leave. */
import { KmcError } from '../../errors.ts';
import { concat, wipe } from '../bytes.ts';
import { decryptData, decryptDataBySm2, encryptData, encryptDataToSm2, type DataLabel } from '../data-ciphertext.ts';
import type { CryptoEngine, KeyHandle, SecretHandle } from '../engine.ts';
import { SM4_KEY_LENGTH } from '../gm/sm4.ts';
import { randomBytes } from '../random.ts';
import { sm2PointFromSpki } from '../spki.ts';
import { issueSecret, type EngineState } from './handles.ts';
import { sm2ScalarOf } from './keys.ts';

type DataOperations = Pick<
  CryptoEngine,
  'encryptData' | 'decryptData' | 'rewrapData' | 'generateDataKey' | 'wrapDataKey' | 'unwrapDataKey' | 'releaseDataKey'
>;

/** The operations of the port on data. */
export function dataOperations(state: EngineState): DataOperations {
  const { keys, secrets } = state;
  /** Which secrets were made to be given out. */
  const dataKeys = new WeakSet<SecretHandle>();

  function encrypt(key: KeyHandle | SecretHandle, label: DataLabel, content: Buffer): Buffer {
    if (key.kind === 'secret') return encryptData(secrets.stateOf(key), label, content);
    sm2ScalarOf(keys.stateOf(key));
    return encryptDataToSm2(sm2PointFromSpki(key.spki), label, content);
  }

  function decrypt(key: KeyHandle | SecretHandle, label: DataLabel, ciphertext: Buffer): Buffer {
    if (key.kind === 'secret') return decryptData(secrets.stateOf(key), label, ciphertext);
    return decryptDataBySm2(sm2ScalarOf(keys.stateOf(key)), label, ciphertext);
  }

  return {
    async encryptData(key, label, content) {
      return encrypt(key, label, content);
    },
    async decryptData(key, label, ciphertext) {
      return decrypt(key, label, ciphertext);
    },
    async rewrapData(from, to, ciphertext) {
      const content = decrypt(from.key, from.label, ciphertext);
      try {
        return encrypt(to.key, to.label, content);
      } finally {
        wipe(content);
      }
    },
    async generateDataKey() {
      const handle = issueSecret(state, randomBytes(SM4_KEY_LENGTH));
      dataKeys.add(handle);
      return handle;
    },
    async wrapDataKey(key, label, dataKey) {
      return encrypt(key, label, secrets.stateOf(dataKey));
    },
    async unwrapDataKey(key, label, ciphertext) {
      return issueSecret(state, decrypt(key, label, ciphertext));
    },
    async releaseDataKey(dataKey) {
      const octets = secrets.stateOf(dataKey);
      if (dataKeys.has(dataKey)) return concat(octets);
      throw new KmcError('E_USAGE', 'Only a data key leaves the engine in the clear, and this is none.');
    },
  };
}
