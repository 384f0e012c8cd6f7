import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';
import { personEvent, personIdOf, personTarget, presentPerson, stalePerson } from './person-act.ts';

async function disabledPerson(reader: Reader, id: string): Promise<StoredPerson> {
  const person = await presentPerson(reader, id);
  if (person.status !== 'disabled') throw new KmcError('E_STATE', 'The person is not suspended.');
  return person;
}

/** The act `person.enable`: ends a suspension. Target `person/<id>`; no parameters. */
export function enablePerson(): DatabaseHandler {
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      requireMembers<object>(params, {}, 'request to enable a person');
      await disabledPerson(reader, targetId);
    },
    async prepare(act) {
      const id = personIdOf(act);
      const event = newId('ev', act.at);
      return async (tx) => {
        const { version } = await disabledPerson(tx, id);
        if (!(await tx.people.setStatus(id, version, 'active'))) throw stalePerson();
        const ids = { id: event, action: 'person.enable', person: id, version: version + 1 } as const;
        await tx.audit.append(personEvent(act, ids, { status: 'active' }), act.at);
        return { person: id, status: 'active' };
      };
    },
  };
}
