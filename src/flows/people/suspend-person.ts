import { ACTIONS } from '../../domain/action.ts';
import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { holdPeople, requireClassLeft } from './quorum-left.ts';

export interface SuspendPersonInput {
  readonly personId: string;
  /** For people: why. */
  readonly reason: string;
  /** The id of the HTTP request, for the event. */
  readonly requestId?: string;
}

const ROLE = 'security-administrator';

/**
 * Suspends a person at once, with every account: any one security administrator may, for it only takes away. What the
 * person approved counts no longer; `person.enable` ends it. Refused alone when too few people would be left to decide
 * that: otherwise one person could lock the instance for good.
 * @throws KmcError E_FORBIDDEN, E_NOT_FOUND, E_STATE (not active), E_QUORUM, E_POLICY, E_CONFLICT.
 */
export async function suspendPerson(
  ports: Pick<Instance, 'database' | 'clock' | 'node' | 'policies' | 'policyDigest'>,
  caller: Caller,
  { personId, reason, requestId }: SuspendPersonInput,
): Promise<void> {
  if (caller.type !== 'person' || !holdsRoleIn(caller, ROLE)) {
    throw new KmcError('E_FORBIDDEN', `Only a ${ROLE} suspends people.`);
  }
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    await holdPeople(tx, ports.policyDigest);
    const person = await tx.people.find(personId);
    if (person === undefined) throw new KmcError('E_NOT_FOUND', 'There is no person of that id.');
    if (person.status !== 'active') throw new KmcError('E_STATE', 'The person is suspended already, or has left.');
    const suspended = { ...person, status: 'disabled' } as const;
    await requireClassLeft(tx, suspended, ports.policies.quorums, ACTIONS['person.enable'].class);
    if (!(await tx.people.setStatus(personId, person.version, 'disabled'))) {
      throw new KmcError('E_CONFLICT', 'The person changed at the same time. Try again.');
    }
    await tx.audit.append(
      {
        id,
        action: 'person.disable',
        outcome: 'success',
        subjects: [{ type: 'person', id: personId, version: person.version + 1 }],
        actor: auditActor(caller, ROLE),
        source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
        detail: { status: 'disabled', note: auditText(reason) },
      },
      at,
    );
  });
}
