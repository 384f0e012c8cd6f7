import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { KeyState } from '../../domain/key-state.ts';
import { KmcError } from '../../errors.ts';
import { currentVersion } from '../keys/life-target.ts';
import { transitionManagedKey } from '../keys/transition-key.ts';
import type { Transaction } from '../ports/database.ts';
import type { ManagedKey, ManagedKeyVersionRow } from '../ports/managed-keys.ts';
import { versionDetail, type ManagedKeyPorts } from './insert-managed-key.ts';
import { destroyMaterial, generateMaterial, sealedVersion } from './key-material.ts';

export interface Rotation {
  readonly keyId: string;
  /** For people: why. */
  readonly reason: string;
  readonly requestId?: string;
}

/** A key that people stopped or gave up gets no next version; one that is compromised needs one most. */
const ROTATES: readonly KeyState[] = ['active', 'compromised'];

async function presentKey(ports: ManagedKeyPorts, id: string): Promise<ManagedKey> {
  const key = await ports.database.read((reader) => reader.managedKeys.find(id));
  if (key === undefined) throw new KmcError('E_NOT_FOUND', 'There is no managed key of that id.');
  const { state } = currentVersion(key);
  if (ROTATES.includes(state)) return key;
  throw new KmcError('E_STATE', `A key that is ${state} gets no next version.`);
}

/**
 * Makes the next version of a managed key, which protects from now on; the one before only processes (deactivated), or
 * stays compromised. What it protected is protected anew by `rewrap`.
 * @returns the key as it stands now.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_SEALED, E_PERIOD; E_CONFLICT when the key changed at the same time.
 */
export async function rotateManagedKey(
  ports: ManagedKeyPorts,
  caller: Caller,
  { keyId, reason, requestId }: Rotation,
): Promise<ManagedKey> {
  const key = await presentKey(ports, keyId);
  const before = currentVersion(key);
  const at = ports.clock.now();
  const events = { rotate: newId('ev', at), deactivate: newId('ev', at) };
  const material = await generateMaterial(ports.engine, key.kind);
  let next: ManagedKeyVersionRow;
  try {
    const made = { keyId, kind: key.kind, number: before.number + 1, at, auditEvent: events.rotate };
    next = await sealedVersion(ports, made, material);
  } finally {
    destroyMaterial(ports.engine, material);
  }
  const by = {
    actor: auditActor(caller),
    source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
  };
  return await ports.database.transaction(async (tx) => {
    if (before.state === 'active') {
      const change = { act: 'deactivate', auditEvent: events.deactivate, at, reason: 'rotated', ...by } as const;
      await transitionManagedKey(tx, before, change);
    }
    await store(tx, key, next, { ...by, note: auditText(reason) });
    const rotated = await tx.managedKeys.find(keyId);
    if (rotated === undefined) throw new KmcError('E_INTERNAL', 'A key is gone after its rotation.');
    return rotated;
  });
}

type By = Pick<Parameters<Transaction['audit']['append']>[0], 'actor' | 'source'> & { readonly note: string };

async function store(
  tx: Transaction,
  key: ManagedKey,
  next: ManagedKeyVersionRow,
  { note, actor, source }: By,
): Promise<void> {
  if (!(await tx.managedKeys.addVersion(key, next, next.lastAuditEvent))) {
    throw new KmcError('E_CONFLICT', 'The key changed at the same time. Read it again.');
  }
  await tx.audit.append(
    {
      id: next.lastAuditEvent,
      action: 'key.rotate',
      outcome: 'success',
      subjects: [{ type: 'key', id: next.id, version: 1 }],
      terms: [{ type: 'managed-key', id: key.id }],
      actor,
      source,
      detail: { ...versionDetail(key.kind, next), to: next.state, note },
    },
    next.createdAt,
  );
}
