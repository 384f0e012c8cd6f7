import { SIGNATURE_ALGORITHMS, verifySignature } from '../../crypto/algorithms.ts';
import type { ApplicationCaller } from '../../domain/caller.ts';
import { withKey, type DataPorts, type KeyInUse } from './key-in-use.ts';

export interface ProvenItem {
  readonly message: Buffer;
  /** A signature (raw r||s) or a MAC, as keys of that kind make them. */
  readonly proof: Buffer;
  /** Number of the version that made it; the current one unless stated. */
  readonly version?: number | undefined;
}

/** Octets of r||s. */
const SIGNATURE_LENGTH = 64;

async function hasMac({ engine }: DataPorts, key: KeyInUse, number: number, item: ProvenItem): Promise<boolean> {
  const version = await key.processing(number);
  if (version?.material.kind !== 'secret') return false;
  const isGood = await engine.verifyMac(version.material, item.message, item.proof);
  if (!isGood) key.failed(version.row);
  return isGood;
}

async function isSigned(key: KeyInUse, number: number, { message, proof }: ProvenItem): Promise<boolean> {
  const row = await key.checking(number);
  if (row?.spki === undefined) return false;
  const isGood =
    proof.length === SIGNATURE_LENGTH &&
    verifySignature('SM2-SM3', row.spki, message, SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(proof));
  if (!isGood) key.failed(row);
  return isGood;
}

/**
 * Says of each item whether its signature (kind `sm2-sign`) or MAC (kind `hmac-sm3`) holds; a version that there is not
 * made none.
 * @throws KmcError as `withKey`; E_STATE, E_PERIOD.
 */
export async function verifyData(
  ports: DataPorts,
  caller: ApplicationCaller,
  keyId: string,
  items: readonly ProvenItem[],
): Promise<boolean[]> {
  return await withKey(ports, caller, { keyId, operation: 'verify' }, async (key) => {
    const verdicts: boolean[] = [];
    for (const item of items) {
      const number = item.version ?? key.currentNumber;
      const isMac = key.key.kind === 'hmac-sm3';
      verdicts.push(isMac ? await hasMac(ports, key, number, item) : await isSigned(key, number, item));
    }
    return verdicts;
  });
}
