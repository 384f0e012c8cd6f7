import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { ApplyAct, ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import { inspectKeystore } from '../keystore/inspect-keystore.ts';
import type { Reader } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';
import { endAccount, endingAccounts } from './end-account.ts';
import { personEvent, personIdOf, personTarget, presentPerson, stalePerson } from './person-act.ts';
import { holdPeople, requireQuorumLeft } from './quorum-left.ts';

type LeaveOfficePorts = Pick<Instance, 'database' | 'keystore' | 'policies' | 'policyDigest'>;

/** @throws KmcError E_STATE: a share goes to somebody else before its holder goes. */
function requireNoShare({ keystore }: LeaveOfficePorts, id: string): void {
  const holders = inspectKeystore(keystore.ports.files)?.seal.holders ?? [];
  if (!holders.some(({ person }) => person === id)) return;
  throw new KmcError(
    'E_STATE',
    'The person holds a share of the service keystore. Hold a ceremony that shares it out anew, then ask again.',
  );
}

async function leaving({ policies }: LeaveOfficePorts, reader: Reader, id: string): Promise<StoredPerson> {
  const person = await presentPerson(reader, id);
  await requireQuorumLeft(reader, { ...person, status: 'left', roles: [] }, policies.quorums);
  return person;
}

async function prepare(ports: LeaveOfficePorts, act: ApprovedAct): Promise<ApplyAct> {
  const id = personIdOf(act);
  requireNoShare(ports, id);
  const seen = await ports.database.read((reader) => presentPerson(reader, id));
  const accounts = endingAccounts(seen, act.at);
  const ids = { leave: newId('ev', act.at), roles: seen.roles.map(() => newId('ev', act.at)) };
  return async (tx) => {
    await holdPeople(tx, ports.policyDigest);
    const person = await leaving(ports, tx, id);
    if (person.version !== seen.version) throw stalePerson();
    for (const ending of accounts) await endAccount(tx, act, ending, 'cessationOfOperation');
    for (const [at, grant] of seen.roles.entries()) {
      if (!(await tx.people.withdrawRole(id, grant))) throw stalePerson();
      const event = { id: ids.roles[at] ?? '', action: 'person.role-revoke', person: id } as const;
      await tx.audit.append(personEvent(act, event, { ...grant }), act.at);
    }
    const version = seen.version + seen.roles.length;
    if (!(await tx.people.setStatus(id, version, 'left'))) throw stalePerson();
    const event = { id: ids.leave, action: 'person.leave', person: id, version: version + 1 } as const;
    await tx.audit.append(personEvent(act, event, { status: 'left' }), act.at);
    return { person: id, status: 'left', ended: accounts.map(({ account }) => account.certificateSm3) };
  };
}

/**
 * The act `person.leave`: every role is taken away, every certificate revoked, and the record stays as that of somebody
 * who has left, for good. Target `person/<id>`; no parameters. Refused (E_QUORUM) when too few people would be left to
 * decide in some class or role, and (E_STATE) while the person holds a share of the service keystore.
 */
export function leaveOffice(ports: LeaveOfficePorts): DatabaseHandler {
  return {
    kind: 'database',
    target: personTarget,
    async check(reader, targetId, params) {
      requireMembers<object>(params, {}, 'request to end an office');
      await leaving(ports, reader, targetId);
      requireNoShare(ports, targetId);
    },
    prepare: (act) => prepare(ports, act),
  };
}
