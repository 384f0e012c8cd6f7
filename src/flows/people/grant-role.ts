import { readRoleGrant, sideOf } from '../../domain/appointment.ts';
import { newId } from '../../domain/id.ts';
import type { RoleGrant } from '../../domain/person.ts';
import { requireCompatibleRoles } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { StoredPerson } from '../ports/people.ts';
import { personEvent, personIdOf, personTarget, presentPerson, stalePerson } from './person-act.ts';

type GrantRolePorts = Pick<Instance, 'policies'>;

/** True when the person holds exactly that grant. */
export function holdsGrant(person: Pick<StoredPerson, 'roles'>, { role, region }: RoleGrant): boolean {
  return person.roles.some((held) => held.role === role && held.region === region);
}

function requireGrantable({ policies }: GrantRolePorts, person: StoredPerson, grant: RoleGrant): void {
  if (holdsGrant(person, grant)) throw new KmcError('E_CONFLICT', 'The person holds that role already.');
  const roles = [...person.roles, grant];
  requireCompatibleRoles(
    roles.map(({ role }) => role),
    policies.exclusions,
  );
  // Nobody comes to the audit side but by the appointment that the audit side itself decides.
  if (sideOf(roles) === 'audit' && sideOf(person.roles) !== 'audit') {
    throw new KmcError('E_FORBIDDEN', 'Whoever is to have an audit role is appointed by person.appoint-auditor.');
  }
}

/** The act `person.grant-role`. Target `person/<id>`; parameters `role`, and `region` for a regional role. */
export function grantRole(ports: GrantRolePorts): DatabaseHandler {
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      const grant = readRoleGrant(params, ports.policies.regions);
      requireGrantable(ports, await presentPerson(reader, targetId), grant);
    },
    async prepare(act) {
      const grant = readRoleGrant(act.request.params, ports.policies.regions);
      const id = personIdOf(act);
      const event = newId('ev', act.at);
      return async (tx) => {
        const person = await presentPerson(tx, id);
        requireGrantable(ports, person, grant);
        if (!(await tx.people.grantRole(id, grant, act.at))) throw stalePerson();
        const ids = { id: event, action: 'person.role-grant', person: id, version: person.version + 1 } as const;
        await tx.audit.append(personEvent(act, ids, { ...grant }), act.at);
        return { person: id, ...grant };
      };
    },
  };
}
