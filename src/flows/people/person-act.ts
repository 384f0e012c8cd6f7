/** What the acts on people share: their target, and the event that each leaves. */
import type { AuditAction } from '../../domain/audit/actions.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type TargetState } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';

/** Status and version of the person. */
export async function personTarget(reader: Reader, id: string): Promise<TargetState> {
  const person = await reader.people.find(id);
  return person === undefined ? ABSENT : { state: person.status, version: String(person.version) };
}

/** The person. @throws KmcError E_NOT_FOUND; E_STATE for one who has left. */
export async function presentPerson(reader: Reader, id: string): Promise<StoredPerson> {
  const person = await reader.people.find(id);
  if (person === undefined) throw new KmcError('E_NOT_FOUND', 'There is no person of that id.');
  if (person.status === 'left') throw new KmcError('E_STATE', 'The person has left: appoint a new one.');
  return person;
}

/** Id of the person that the request is about. */
export function personIdOf(act: ApprovedAct): string {
  return act.request.target.split('/')[1] ?? '';
}

/** The person changed between the look at it and the change. */
export function stalePerson(): KmcError {
  return new KmcError('E_STALE', 'The person changed at the same time. Make a new request.');
}

/** The event of an approved act on a person. `id` was made before the transaction. */
export function personEvent(
  act: ApprovedAct,
  event: { readonly id: string; readonly action: AuditAction; readonly person: string; readonly version?: number },
  detail: AuditEventInput['detail'],
): AuditEventInput {
  const { id, action, person, version } = event;
  return {
    id,
    action,
    outcome: 'success',
    subjects: [{ type: 'person', id: person, ...(version === undefined ? {} : { version }) }],
    actor: act.actor,
    source: act.source,
    approvals: act.approvals,
    detail: { ...detail, request: act.request.id },
  };
}
