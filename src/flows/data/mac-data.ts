import type { ApplicationCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { withKey, type DataPorts } from './key-in-use.ts';

export interface MadeMacs {
  readonly version: number;
  /** HMAC-SM3, 32 octets each. */
  readonly macs: readonly Buffer[];
}

/**
 * Computes HMAC-SM3 over each message with the current version of a managed key of the kind `hmac-sm3`.
 * @throws KmcError as `withKey`; E_STATE, E_PERIOD.
 */
export async function macData(
  ports: DataPorts,
  caller: ApplicationCaller,
  keyId: string,
  messages: readonly Buffer[],
): Promise<MadeMacs> {
  return await withKey(ports, caller, { keyId, operation: 'mac' }, async (key) => {
    const { material, number } = await key.protecting(messages.length);
    if (material.kind !== 'secret') throw new KmcError('E_USAGE', 'The key computes no MACs.');
    const macs: Buffer[] = [];
    for (const message of messages) macs.push(await ports.engine.mac(material, message));
    return { version: number, macs };
  });
}
