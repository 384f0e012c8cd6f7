/** Blobs of the software engine: keys as plain PKCS#8, secrets as they are, told apart by the blob's `alg` number. */
import { KmcError } from '../../errors.ts';
import { KEY_ALGORITHMS } from '../algorithms.ts';
import { wipe } from '../bytes.ts';
import { KEK_PURPOSES, type BlobContext, type CryptoEngine, type KeyEncryptionKey } from '../engine.ts';
import { parsePkcs8 } from '../pkcs8.ts';
import type { PrivateKey } from '../private-key.ts';
import { blobNotOpened, openBlob, sealBlob, type ExpectedBlobHeader, type OpenedBlob } from '../seal.ts';
import { issueKey, issueSecret, type EngineState } from './handles.ts';

type SealingOperations = Pick<
  CryptoEngine,
  'sealKey' | 'openKey' | 'sealSecret' | 'openSecret' | 'sealData' | 'openData'
>;

// A secret's number is no key's, or a sealed key could be opened as a secret and leave the engine as one.
const SECRET_NUMBER = 0x0100;
// Data leaves the engine: neither a key nor a secret may ever open as data.
const DATA_NUMBER = 0x0200;
const KEY_NUMBERS = Object.values(KEY_ALGORITHMS).map(({ blobNumber }) => blobNumber);

/** The operations of the port on blobs. `now` gives the time that a header states. */
export function sealingOperations(state: EngineState, now: () => Date): SealingOperations {
  const { keys, secrets } = state;

  function seal(kek: KeyEncryptionKey, context: BlobContext, algorithm: number, content: Buffer): Buffer {
    const header = { ...headerOf(kek, context), algorithm, createdAt: now().getTime() };
    return sealBlob(secrets.stateOf(kek.secret), header, content);
  }

  function open(kek: KeyEncryptionKey, context: BlobContext, algorithms: readonly number[], blob: Buffer): OpenedBlob {
    return openBlob(secrets.stateOf(kek.secret), { ...headerOf(kek, context), algorithms }, blob);
  }

  return {
    async sealKey(kek, context, key) {
      const { algorithm, pkcs8 } = keys.stateOf(key);
      return seal(kek, context, KEY_ALGORITHMS[algorithm].blobNumber, pkcs8);
    },
    async openKey(kek, context, blob) {
      return issueKey(state, keyOf(open(kek, context, KEY_NUMBERS, blob)));
    },
    async sealSecret(kek, context, secret) {
      return seal(kek, context, SECRET_NUMBER, secrets.stateOf(secret));
    },
    async openSecret(kek, context, blob) {
      return issueSecret(state, open(kek, context, [SECRET_NUMBER], blob).content);
    },
    async sealData(kek, context, data) {
      return seal(kek, context, DATA_NUMBER, data);
    },
    async openData(kek, context, blob) {
      return open(kek, context, [DATA_NUMBER], blob).content;
    },
  };
}

/** What a blob of a key-encryption key and context states, but for content and time. */
export function headerOf(
  kek: KeyEncryptionKey,
  { keyId, usage, objectVersion }: BlobContext,
): Omit<ExpectedBlobHeader, 'algorithms'> {
  return { purpose: KEK_PURPOSES[kek.purpose], kekVersion: kek.version, keyId, usage, objectVersion };
}

/** The key in an opened blob; content that is not a sound key of the stated kind is a blob that does not open. */
function keyOf({ algorithm, content }: OpenedBlob): PrivateKey {
  try {
    const key = parsePkcs8(content);
    if (KEY_ALGORITHMS[key.algorithm].blobNumber === algorithm) return key;
    key.destroy();
    throw blobNotOpened();
  } catch (error) {
    throw error instanceof KmcError ? blobNotOpened() : error;
  } finally {
    wipe(content);
  }
}
