import { readRoleGrant } from '../../domain/appointment.ts';
import { newId } from '../../domain/id.ts';
import type { RoleGrant } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';
import { holdsGrant } from './grant-role.ts';
import { personEvent, personIdOf, personTarget, presentPerson, stalePerson } from './person-act.ts';
import { holdPeople, requireQuorumLeft } from './quorum-left.ts';

type RevokeRolePorts = Pick<Instance, 'policies' | 'policyDigest'>;

async function revocable(
  { policies }: RevokeRolePorts,
  reader: Reader,
  id: string,
  grant: RoleGrant,
): Promise<StoredPerson> {
  const person = await presentPerson(reader, id);
  if (!holdsGrant(person, grant)) throw new KmcError('E_NOT_FOUND', 'The person does not hold that role.');
  const roles = person.roles.filter((held) => held.role !== grant.role || held.region !== grant.region);
  await requireQuorumLeft(reader, { ...person, roles }, policies.quorums);
  return person;
}

/**
 * The act `person.revoke-role`. Target `person/<id>`; parameters `role`, and `region` for a regional role. It is refused
 * (E_QUORUM) when too few people would be left to decide; that is looked at again when it is done.
 */
export function revokeRole(ports: RevokeRolePorts): DatabaseHandler {
  const { policies, policyDigest } = ports;
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      await revocable(ports, reader, targetId, readRoleGrant(params, policies.regions));
    },
    async prepare(act) {
      const grant = readRoleGrant(act.request.params, policies.regions);
      const id = personIdOf(act);
      const event = newId('ev', act.at);
      return async (tx) => {
        await holdPeople(tx, policyDigest);
        const person = await revocable(ports, tx, id, grant);
        if (!(await tx.people.withdrawRole(id, grant))) throw stalePerson();
        const ids = { id: event, action: 'person.role-revoke', person: id, version: person.version + 1 } as const;
        await tx.audit.append(personEvent(act, ids, { ...grant }), act.at);
        return { person: id, ...grant };
      };
    },
  };
}
