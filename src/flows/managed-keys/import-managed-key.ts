import type { KeyHandle } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { Caller } from '../../domain/caller.ts';
import { managedKeyKind, requireProcessing } from '../../domain/managed-key.ts';
import { KmcError } from '../../errors.ts';
import { requireCertifiable } from '../certificates/require-certifiable.ts';
import { currentVersion } from '../keys/life-target.ts';
import type { ManagedKey } from '../ports/managed-keys.ts';
import {
  insertManagedKey,
  requireKeyPolicy,
  type ManagedKeyPolicy,
  type ManagedKeyPorts,
} from './insert-managed-key.ts';
import { destroyMaterial, openMaterial, type KeyMaterial } from './key-material.ts';

export interface ImportedKey {
  readonly policy: ManagedKeyPolicy;
  /** Id of the managed key of the kind `sm2-encrypt` to whose current version the key comes wrapped. */
  readonly wrappingKey: string;
  /** Of a symmetric key SM2Cipher, of an SM2 pair SM2EnvelopedKey (GM/T 0009); DER. */
  readonly wrapped: Buffer;
  readonly requestId?: string;
}

async function unwrap(
  { engine }: ManagedKeyPorts,
  wrappingKey: KeyHandle,
  { policy, wrapped }: ImportedKey,
): Promise<KeyMaterial> {
  const { secretOctets } = managedKeyKind(policy.kind);
  if (secretOctets === undefined) return await engine.openEnvelopedKey(wrappingKey, wrapped);
  const secret = await engine.decryptSecret(wrappingKey, wrapped);
  if (secret.length === secretOctets) return secret;
  engine.destroySecret(secret);
  throw new KmcError('E_KEY', `A key of the kind ${policy.kind} has ${secretOctets} octets.`);
}

/** A pair that stands here already, as whatever, has another holder. @throws KmcError E_KEY_BLOCKED. */
async function requireUnknown({ database }: ManagedKeyPorts, spki: string): Promise<void> {
  await database.read((reader) => requireCertifiable(reader, spki));
}

/** @throws KmcError E_NOT_FOUND, E_USAGE, E_STATE, E_PERIOD, E_SEALED. */
async function openWrappingKey(ports: ManagedKeyPorts, id: string): Promise<KeyHandle> {
  const key = await ports.database.read((reader) => reader.managedKeys.find(id));
  if (key === undefined) throw new KmcError('E_NOT_FOUND', 'There is no managed key of that id to wrap to.');
  const current = currentVersion(key);
  requireProcessing(key.kind, current, current, ports.policies.cryptoPeriods, ports.clock.now());
  const material = key.kind === 'sm2-encrypt' ? await openMaterial(ports, key.kind, current) : undefined;
  if (material?.kind === 'key') return material;
  throw new KmcError('E_USAGE', 'Keys come wrapped to a managed key of the kind sm2-encrypt.');
}

/**
 * Imports a key that exists, wrapped to a managed key of the kind `sm2-encrypt`. Signing keys are made here and not
 * imported: nobody else may hold one. The wrapped form is not kept.
 * @throws KmcError E_SCHEMA, E_POLICY (policy of the key), E_NOT_FOUND, E_USAGE, E_STATE, E_PERIOD (wrapping key);
 * E_DECRYPT, E_DER, E_KEY, E_POINT (what is wrapped); E_KEY_BLOCKED when the key pair stands here already.
 */
export async function importManagedKey(
  ports: ManagedKeyPorts,
  caller: Caller,
  imported: ImportedKey,
): Promise<ManagedKey> {
  const { policy, requestId } = imported;
  requireKeyPolicy(policy);
  if (policy.kind === 'sm2-sign') throw new KmcError('E_USAGE', 'Signing keys are made here and never imported.');
  const wrappingKey = await openWrappingKey(ports, imported.wrappingKey);
  try {
    const material = await unwrap(ports, wrappingKey, imported);
    try {
      if (material.kind === 'key') await requireUnknown(ports, spkiSm3(material.spki));
      const wrappedTo = spkiSm3(wrappingKey.spki);
      const from = { origin: 'imported', wrappedTo, ...(requestId === undefined ? {} : { requestId }) } as const;
      return await insertManagedKey(ports, caller, policy, material, from);
    } finally {
      destroyMaterial(ports.engine, material);
    }
  } finally {
    ports.engine.destroyKey(wrappingKey);
  }
}
