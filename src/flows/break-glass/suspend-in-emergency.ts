import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { holdPeople } from '../people/quorum-left.ts';
import { recordSuspension, suspendablePerson } from '../people/suspension.ts';

export interface EmergencySuspension {
  readonly personId: string;
  /** For people: why. */
  readonly reason: string;
  readonly requestId: string;
}

/**
 * Suspends a person at once, by a sealed account in its session. What an approved suspension refuses is refused here too:
 * two sealed accounts must not be able to lock the instance.
 * @throws KmcError E_FORBIDDEN, E_NOT_FOUND, E_STATE, E_QUORUM, E_POLICY, E_STALE.
 */
export async function suspendInEmergency(
  ports: Pick<Instance, 'database' | 'clock' | 'node' | 'policies' | 'policyDigest'>,
  caller: Caller,
  { personId, reason, requestId }: EmergencySuspension,
): Promise<void> {
  if (caller.type !== 'sealed-account') {
    throw new KmcError('E_FORBIDDEN', 'This is for break-glass. Ask for the act person.suspend instead.');
  }
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    await holdPeople(tx, ports.policyDigest);
    const person = await suspendablePerson(ports, tx, personId);
    await recordSuspension(
      tx,
      person,
      {
        id,
        action: 'person.disable',
        outcome: 'success',
        subjects: [{ type: 'person', id: personId, version: person.version + 1 }],
        actor: auditActor(caller),
        source: { node: ports.node, request: requestId },
        detail: { status: 'disabled', note: auditText(reason) },
      },
      at,
    );
  });
}
