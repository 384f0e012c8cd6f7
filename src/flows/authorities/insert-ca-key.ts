import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';
import type { KeyHandle } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { Transaction } from '../ports/database.ts';

/** A CA key that was sealed outside the transaction and waits for its row. */
export interface SealedCaKey {
  readonly keyId: string;
  readonly algorithm: KeyAlgorithmName;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly spkiSm3: string;
  readonly blob: Buffer;
  readonly kekVersion: number;
  /** Epoch of the keystore files it was sealed under. */
  readonly epoch: number;
}

/** Seals a CA key for signing under the service keystore. @throws KmcError E_SEALED, E_ID. */
export async function sealedCaKey(keystore: ServiceKeystore, keyId: string, key: KeyHandle): Promise<SealedCaKey> {
  const { epoch } = keystore;
  const { blob, kekVersion } = await keystore.sealCaKey(keyId, 'sign', key);
  return {
    keyId,
    algorithm: key.algorithm,
    spki: Buffer.from(key.spki),
    spkiSm3: spkiSm3(key.spki),
    blob,
    kekVersion,
    epoch,
  };
}

/**
 * Writes the row of a sealed CA key, version 1.
 * @throws KmcError E_SEALED when another node changed the keystore meanwhile; E_CONFLICT when the id or the key is there.
 */
export async function insertCaKey(tx: Transaction, { epoch, ...key }: SealedCaKey, createdAt: Date): Promise<void> {
  if (await tx.keystoreRows.addCaKey({ ...key, version: 1, usage: 'sign', createdAt }, epoch)) return;
  throw new KmcError('E_SEALED', 'The keystore changed on another node: unseal this node again.');
}
