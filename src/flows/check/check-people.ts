import { isSamePerson } from '../../domain/person.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { roleConflicts } from '../../domain/roles.ts';
import type { Reader } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';
import { Findings, pagesOf, type InvariantResult } from './findings.ts';

/** I13: nobody holds two roles that exclude each other, under any number of records, and who has left holds none. */
export async function checkPeople({ exclusions }: PolicySet, reader: Reader): Promise<InvariantResult> {
  const found = new Findings();
  const humans: StoredPerson[] = [];
  for await (const person of pagesOf((page) => reader.people.list(page))) {
    found.checked += 1;
    if (person.status === 'left') {
      if (person.roles.length > 0) found.add(`${person.id} has left and holds a role`);
      if (person.accounts.some(({ status }) => status !== 'revoked'))
        found.add(`${person.id} has left with an account`);
    }
    const twin = humans.find((other) => isSamePerson(other, person));
    const roles = [...person.roles, ...(twin?.roles ?? [])].map(({ role }) => role);
    for (const [a, b] of roleConflicts(roles, exclusions)) {
      found.add(`${person.id}${twin === undefined ? '' : ` (also ${twin.id})`} holds ${a} and ${b}`);
    }
    humans.push(person);
  }
  return found.result('I13', 'nobody holds roles that exclude each other, and who has left holds nothing');
}
