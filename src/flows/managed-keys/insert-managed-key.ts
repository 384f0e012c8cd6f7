/** What making and importing a managed key share: policy of the key, its first version, and the event. */
import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { LARGEST_USE_LIMIT, managedKeyKind, type ManagedKeyKindName } from '../../domain/managed-key.ts';
import { plainText } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { ManagedKey, ManagedKeyRow, ManagedKeyVersionRow } from '../ports/managed-keys.ts';
import { sealedVersion, type KeyMaterial } from './key-material.ts';

export type ManagedKeyPorts = Pick<Instance, 'clock' | 'database' | 'engine' | 'keystore' | 'node' | 'policies'>;

/** What a managed key is for, fixed when it is made. */
export interface ManagedKeyPolicy {
  /** For people. */
  readonly name: string;
  readonly kind: ManagedKeyKindName;
  /** May leave, wrapped, under dual control. */
  readonly exportable: boolean;
  /** Uses that protect, of each version, at the most. */
  readonly useLimit?: number;
}

/** @throws KmcError E_SCHEMA; E_POLICY for a signing key that may leave. */
export function requireKeyPolicy({ name, kind, exportable, useLimit }: ManagedKeyPolicy): void {
  const fault = plainText(100)(name);
  if (fault !== undefined) throw new KmcError('E_SCHEMA', `The name of a key ${fault}.`);
  if (exportable && !managedKeyKind(kind).mayLeave) {
    throw new KmcError('E_POLICY', 'A signing key belongs to the KMC and never leaves it.');
  }
  const isLimit =
    useLimit === undefined || (Number.isInteger(useLimit) && useLimit > 0 && useLimit <= LARGEST_USE_LIMIT);
  if (!isLimit) throw new KmcError('E_SCHEMA', `A use limit is a whole number from 1 to ${LARGEST_USE_LIMIT}.`);
}

export interface InsertedFrom {
  readonly origin: ManagedKeyRow['origin'];
  /** `sm3:<hex>` of the public key that it came wrapped to. */
  readonly wrappedTo?: string;
  readonly requestId?: string;
}

/**
 * Stores a new managed key with its first version.
 * @throws KmcError E_SEALED, E_PERIOD; E_CONFLICT when its public key stands here already.
 */
export async function insertManagedKey(
  ports: ManagedKeyPorts,
  caller: Caller,
  policy: ManagedKeyPolicy,
  material: KeyMaterial,
  { origin, wrappedTo, requestId }: InsertedFrom,
): Promise<ManagedKey> {
  const at = ports.clock.now();
  const auditEvent = newId('ev', at);
  const { name, kind, exportable, useLimit } = policy;
  const times = { createdAt: at, changedAt: at, lastAuditEvent: auditEvent };
  const facts = { name, kind, origin, exportable, useLimit, currentNumber: 1, version: 1 };
  const key: ManagedKeyRow = { id: newId('mk', at), ...facts, ...times };
  const version = await sealedVersion(ports, { keyId: key.id, kind, number: 1, at, auditEvent }, material);
  const source = { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) };
  await ports.database.transaction(async (tx) => {
    await tx.managedKeys.insert(key, version);
    await tx.audit.append(
      {
        id: auditEvent,
        action: origin === 'generated' ? 'key.generate' : 'key.import',
        outcome: 'success',
        subjects: [{ type: 'key', id: version.id, version: 1 }],
        terms: [{ type: 'managed-key', id: key.id }],
        actor: auditActor(caller),
        source,
        detail: {
          ...versionDetail(kind, version),
          note: auditText(name),
          to: version.state,
          ...(wrappedTo === undefined ? {} : { recipient: wrappedTo }),
        },
      },
      at,
    );
  });
  return { ...key, versions: [version] };
}

/** What the events of a new version say of it. */
export function versionDetail(
  kind: ManagedKeyKindName,
  { kid, number, kekVersion }: ManagedKeyVersionRow,
): Readonly<Record<string, string | number>> {
  return {
    algorithm: managedKeyKind(kind).algorithm,
    purpose: kind,
    kid,
    version: number,
    kek: 'db-field',
    kekVersion,
  };
}
