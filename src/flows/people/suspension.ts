/** What every suspension does, by an approved act or in an emergency: the person stops, and can be enabled again. */
import { ACTIONS } from '../../domain/action.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';
import { presentPerson, stalePerson } from './person-act.ts';
import { requireClassLeft } from './quorum-left.ts';

/**
 * The person, if active, and if enough others are left to enable them again: with exactly as many approvers as that takes,
 * nobody could ever decide anything of its class any more.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_QUORUM.
 */
export async function suspendablePerson(
  { policies }: Pick<Instance, 'policies'>,
  reader: Reader,
  id: string,
): Promise<StoredPerson> {
  const person = await presentPerson(reader, id);
  if (person.status !== 'active') throw new KmcError('E_STATE', 'The person is suspended already.');
  const suspended = { ...person, status: 'disabled' } as const;
  await requireClassLeft(reader, suspended, policies.quorums, ACTIONS['person.enable'].class);
  return person;
}

/** Suspends; `event` is of the version after it. @throws KmcError E_STALE when the person changed in between. */
export async function recordSuspension(
  tx: Transaction,
  person: Pick<StoredPerson, 'id' | 'version'>,
  event: AuditEventInput,
  at: Date,
): Promise<void> {
  if (!(await tx.people.setStatus(person.id, person.version, 'disabled'))) throw stalePerson();
  await tx.audit.append(event, at);
}
