import type { ApplicationCaller } from '../../domain/caller.ts';
import type { DataContext } from '../../domain/data-context.ts';
import { countingFailure, versionOf, type CipherItem } from './decrypt-data.ts';
import { eachItem, type ItemOutcome } from './each-item.ts';
import { withKey, type DataPorts } from './key-in-use.ts';

export interface RewrapItem extends CipherItem {
  /** What the new ciphertext is bound to; the same context unless stated. */
  readonly newContext?: DataContext | undefined;
}

export interface Rewrapped {
  readonly version: number;
  readonly ciphertext: Buffer;
}

/**
 * Encrypts each ciphertext anew under the current version; what it holds stays in the engine. In a batch an item that does
 * not decrypt fails alone.
 * @throws KmcError as `withKey` and `decryptData`; E_PERIOD when the current version protects no longer.
 */
export async function rewrapData(
  ports: DataPorts,
  caller: ApplicationCaller,
  keyId: string,
  items: readonly RewrapItem[],
): Promise<ItemOutcome<Rewrapped>[]> {
  return await withKey(ports, caller, { keyId, operation: 'rewrap' }, async (key) => {
    const current = await key.protecting(items.length);
    return await eachItem(items, async ({ ciphertext, context, newContext }) => {
      const version = await versionOf(key, ciphertext, (number) => key.rewrapping(number));
      const from = { key: version.material, label: key.label(version.number, context) };
      const to = { key: current.material, label: key.label(current.number, newContext ?? context) };
      const rewrapped = countingFailure(key, current, ports.engine.rewrapData(from, to, ciphertext));
      return { version: current.number, ciphertext: await rewrapped };
    });
  });
}
