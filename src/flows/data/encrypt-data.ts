import type { ApplicationCaller } from '../../domain/caller.ts';
import type { DataContext } from '../../domain/data-context.ts';
import { withKey, type DataPorts } from './key-in-use.ts';

export interface PlainItem {
  readonly plaintext: Buffer;
  readonly context?: DataContext | undefined;
}

export interface Encrypted {
  /** Number of the version that encrypted. */
  readonly version: number;
  /** Data ciphertexts (crypto/data-ciphertext.ts), in the order of the items. */
  readonly ciphertexts: readonly Buffer[];
}

/**
 * Encrypts each item under the current version of a managed key (kinds `sm4` and `sm2-encrypt`), bound to its context. All
 * or none.
 * @throws KmcError as `withKey`; E_STATE, E_PERIOD; E_SIZE, E_SCHEMA (context).
 */
export async function encryptData(
  ports: DataPorts,
  caller: ApplicationCaller,
  keyId: string,
  items: readonly PlainItem[],
): Promise<Encrypted> {
  return await withKey(ports, caller, { keyId, operation: 'encrypt' }, async (key) => {
    const labels = items.map(({ context }) => key.label(key.currentNumber, context));
    const { material, number } = await key.protecting(items.length);
    const ciphertexts: Buffer[] = [];
    for (const [at, label] of labels.entries()) {
      ciphertexts.push(await ports.engine.encryptData(material, label, items[at]?.plaintext ?? Buffer.alloc(0)));
    }
    return { version: number, ciphertexts };
  });
}
