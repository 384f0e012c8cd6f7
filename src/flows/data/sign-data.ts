import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { ApplicationCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { withKey, type DataPorts } from './key-in-use.ts';

export interface SignedData {
  readonly version: number;
  /** Raw r||s, 64 octets each, SM2 with the default ID. */
  readonly signatures: readonly Buffer[];
}

/**
 * Signs each message (the whole of it, not a digest) with the current version of a managed key of the kind `sm2-sign`.
 * @throws KmcError as `withKey`; E_STATE, E_PERIOD.
 */
export async function signData(
  ports: DataPorts,
  caller: ApplicationCaller,
  keyId: string,
  messages: readonly Buffer[],
): Promise<SignedData> {
  return await withKey(ports, caller, { keyId, operation: 'sign' }, async (key) => {
    const { material, number } = await key.protecting(messages.length);
    if (material.kind !== 'key') throw new KmcError('E_USAGE', 'The key does not sign.');
    const signatures: Buffer[] = [];
    for (const message of messages) {
      const signature = await ports.engine.sign(material, 'SM2-SM3', message);
      signatures.push(SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature));
    }
    return { version: number, signatures };
  });
}
