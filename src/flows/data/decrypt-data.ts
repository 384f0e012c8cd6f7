import { dataKeyNameOf, dataNotDecrypted } from '../../crypto/data-ciphertext.ts';
import type { ApplicationCaller } from '../../domain/caller.ts';
import type { DataContext } from '../../domain/data-context.ts';
import { KmcError } from '../../errors.ts';
import { eachItem, type ItemOutcome } from './each-item.ts';
import { withKey, type DataPorts, type KeyInUse, type OpenVersion } from './key-in-use.ts';

export interface CipherItem {
  readonly ciphertext: Buffer;
  readonly context?: DataContext | undefined;
}

export interface Decrypted {
  readonly version: number;
  /** What was encrypted; with a recipient SM2Cipher of it, DER. The caller wipes it. */
  readonly content: Buffer;
}

/**
 * The version that a ciphertext of this key names, opened by `open`.
 * @throws KmcError E_DECRYPT, with the one text, for another key and for a version that there is not.
 */
export async function versionOf(
  key: KeyInUse,
  ciphertext: Buffer,
  open: (number: number) => Promise<OpenVersion | undefined>,
): Promise<OpenVersion> {
  const { keyId, keyVersion } = dataKeyNameOf(ciphertext);
  const version = keyId === key.key.id ? await open(keyVersion) : undefined;
  if (version === undefined) throw dataNotDecrypted();
  return version;
}

/** Counts the use as one that came to nothing, where the ciphertext is at fault. */
export async function countingFailure<T>(key: KeyInUse, version: OpenVersion, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_DECRYPT') key.failed(version.row);
    throw error;
  }
}

/** Encrypts what stays in the engine to the recipient. */
async function toRecipient(
  { engine }: DataPorts,
  { material }: OpenVersion,
  label: Parameters<DataPorts['engine']['unwrapDataKey']>[1],
  ciphertext: Buffer,
  recipient: Buffer,
): Promise<Buffer> {
  const secret = await engine.unwrapDataKey(material, label, ciphertext);
  try {
    return await engine.encryptSecretTo(secret, recipient);
  } finally {
    engine.destroySecret(secret);
  }
}

/**
 * Decrypts each item under the version that it names. In a batch an item that does not decrypt fails alone.
 * @param recipient SubjectPublicKeyInfo (DER) of an SM2 key: what was encrypted is answered to it alone.
 * @throws KmcError as `withKey`; E_DECRYPT (one text for another key, version or context and for any damage), E_STATE,
 * E_PERIOD of a single item; E_KEY, E_DER, E_POINT (recipient).
 */
export async function decryptData(
  ports: DataPorts,
  caller: ApplicationCaller,
  keyId: string,
  items: readonly CipherItem[],
  recipient?: Buffer,
): Promise<ItemOutcome<Decrypted>[]> {
  return await withKey(ports, caller, { keyId, operation: 'decrypt' }, (key) =>
    eachItem(items, async ({ ciphertext, context }) => {
      const version = await versionOf(key, ciphertext, (number) => key.processing(number));
      const label = key.label(version.number, context);
      const { engine } = ports;
      const content =
        recipient === undefined
          ? engine.decryptData(version.material, label, ciphertext)
          : toRecipient(ports, version, label, ciphertext, recipient);
      return { version: version.number, content: await countingFailure(key, version, content) };
    }),
  );
}
