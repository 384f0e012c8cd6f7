import { auditText } from '../../domain/audit/detail.ts';
import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import { personEvent, personIdOf, personTarget } from './person-act.ts';
import { holdPeople } from './quorum-left.ts';
import { recordSuspension, suspendablePerson } from './suspension.ts';

/**
 * The act `person.suspend`: the person stops at once with every account, and approvals of theirs count no longer;
 * `person.enable` ends it. Target `person/<id>`; no parameters. Refused (E_QUORUM) when too few people would be left to
 * enable them again; break-glass is for when two approvals take too long, and holds to the same.
 */
export function suspendPerson(ports: Pick<Instance, 'policies' | 'policyDigest'>): DatabaseHandler {
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      requireMembers<object>(params, {}, 'request to suspend a person');
      await suspendablePerson(ports, reader, targetId);
    },
    async prepare(act) {
      const id = personIdOf(act);
      const event = newId('ev', act.at);
      return async (tx) => {
        await holdPeople(tx, ports.policyDigest);
        const person = await suspendablePerson(ports, tx, id);
        const ids = { id: event, action: 'person.disable', person: id, version: person.version + 1 } as const;
        const detail = { status: 'disabled', note: auditText(act.request.reason) };
        await recordSuspension(tx, person, personEvent(act, ids, detail), act.at);
        return { person: id, status: 'disabled' };
      };
    },
  };
}
