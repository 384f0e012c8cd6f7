import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { keystoreEvent } from '../../domain/keystore/keystore-event.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import type { SealStatus, ServiceKeystore } from './service-keystore.ts';

export interface SealServicePorts {
  readonly keystore: ServiceKeystore;
  readonly clock: Clock;
}

/** Why the keystore is sealed (security-and-faults 2.7): by a person, or by the service itself. */
const SEAL_TRIGGERS = ['command', 'audit', 'storage', 'epoch', 'lease', 'clock', 'blob-refusals', 'stop'] as const;
export type SealTrigger = (typeof SEAL_TRIGGERS)[number];

export interface SealServiceInput {
  readonly trigger: SealTrigger;
  readonly source: AuditSource;
}

/**
 * Seals the keystore: any one security-administrator, or the service itself. It is sealed even when recording fails.
 * @throws KmcError E_FORBIDDEN; E_AUDIT or E_STORAGE when the event could not be recorded.
 */
export async function sealService(
  { keystore, clock }: SealServicePorts,
  { trigger, source }: SealServiceInput,
  caller: Caller,
): Promise<SealStatus> {
  const maySeal = caller.type === 'person' ? holdsRoleIn(caller, 'security-administrator') : caller.type === 'system';
  if (!maySeal) throw new KmcError('E_FORBIDDEN', 'Security administrators seal the keystore.');
  keystore.seal();
  const now = clock.now();
  const id = newId('ev', now);
  const actor = auditActor(caller, caller.type === 'person' ? 'security-administrator' : undefined);
  await keystore.ports.database.transaction(async (tx) => {
    const epoch = await tx.instance.keystoreEpoch();
    const event = keystoreEvent({ id, action: 'keystore.seal', epoch, actor, source, detail: { trigger } });
    await tx.audit.append(event, now);
  });
  return keystore.status(now);
}
