/** Looks at all people before one of them stops deciding: the last quorum cannot be broken (D.3, bootstrapping). */
import { lostRoles, newShortfalls } from '../../domain/eligibility.ts';
import type { Person } from '../../domain/person.ts';
import type { ApprovalClass, QuorumRules } from '../../domain/quorum.ts';
import { KmcError } from '../../errors.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';

const PAGE = 1000;

async function everybody(reader: Reader): Promise<StoredPerson[]> {
  const people: StoredPerson[] = [];
  for (;;) {
    const after = people.at(-1)?.id;
    const page = await reader.people.list({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    people.push(...page);
    if (page.length < PAGE) return people;
  }
}

/**
 * Lets only one such change at a time look at the people and then take one of them away: two at once, about two persons,
 * could each find enough people left.
 * @throws KmcError E_POLICY when the policy that says what is enough is no longer in force.
 */
export async function holdPeople(tx: Transaction, policyDigest: string): Promise<void> {
  if (await tx.instance.replace('policy-digest', policyDigest, policyDigest)) return;
  throw new KmcError('E_POLICY', 'This process runs with policy files that are not in force. Restart it with those.');
}

function tooFew(details: readonly string[]): KmcError {
  return new KmcError(
    'E_QUORUM',
    `Too few people would be left to decide: ${details.join('; ')}. Appoint others first; a key that is in other hands ` +
      'is made useless by person.replace-certificate, which leaves the person in office.',
    {
      pointers: details.map((detail) => ({ pointer: '/people', detail })),
    },
  );
}

/**
 * Refuses to take from a person for good what the others need them for. A shortfall that stood before is no reason.
 * @param changed the person as they would be.
 * @throws KmcError E_QUORUM.
 */
export async function requireQuorumLeft(reader: Reader, changed: Person, quorums: QuorumRules): Promise<void> {
  const before = await everybody(reader);
  const after = before.map((person) => (person.id === changed.id ? changed : person));
  const details = [
    ...newShortfalls(before, after, quorums).map(({ detail }) => detail),
    ...lostRoles(before, after).map((role) => `nobody else is ${role}`),
  ];
  if (details.length > 0) throw tooFew(details);
}

/** The same for one class alone. @throws KmcError E_QUORUM. */
export async function requireClassLeft(
  reader: Reader,
  changed: Person,
  quorums: QuorumRules,
  approvalClass: ApprovalClass,
): Promise<void> {
  const before = await everybody(reader);
  const after = before.map((person) => (person.id === changed.id ? changed : person));
  const short = newShortfalls(before, after, quorums).filter((one) => one.class === approvalClass);
  if (short.length > 0) throw tooFew(short.map(({ detail }) => detail));
}
