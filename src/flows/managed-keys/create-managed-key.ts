import type { Caller } from '../../domain/caller.ts';
import type { ManagedKey } from '../ports/managed-keys.ts';
import {
  insertManagedKey,
  requireKeyPolicy,
  type ManagedKeyPolicy,
  type ManagedKeyPorts,
} from './insert-managed-key.ts';
import { destroyMaterial, generateMaterial } from './key-material.ts';

/**
 * Makes a managed key with its first version, active at once. Nobody may use it before people grant that
 * (`application.grant`), so one person may make it.
 * @throws KmcError E_SCHEMA, E_POLICY (policy of the key), E_SEALED, E_PERIOD.
 */
export async function createManagedKey(
  ports: ManagedKeyPorts,
  caller: Caller,
  policy: ManagedKeyPolicy,
  requestId?: string,
): Promise<ManagedKey> {
  requireKeyPolicy(policy);
  const material = await generateMaterial(ports.engine, policy.kind);
  try {
    const from = { origin: 'generated', ...(requestId === undefined ? {} : { requestId }) } as const;
    return await insertManagedKey(ports, caller, policy, material, from);
  } finally {
    destroyMaterial(ports.engine, material);
  }
}
