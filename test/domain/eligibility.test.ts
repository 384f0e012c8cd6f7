import { expect } from 'chai';
import {
  classApprovers,
  eligibleApprovers,
  lostRoles,
  newShortfalls,
  quorumShortfalls,
} from '../../src/domain/eligibility.ts';
import type { Person } from '../../src/domain/person.ts';
import { STANDARD_QUORUMS } from '../../src/domain/quorum.ts';
import type { RoleName } from '../../src/domain/roles.ts';

let count = 0;
function person(role: RoleName, unit: string, change: Partial<Person> = {}): Person {
  count += 1;
  return {
    id: `p-${count}`,
    name: 'x',
    unit,
    organisation: 'kmc',
    status: 'active',
    roles: [{ role }],
    accounts: [],
    ...change,
  };
}

/** The least that kmc-init may leave: quorum + 1 for every class. */
function founders(): Person[] {
  return [
    person('security-administrator', 'security'),
    person('security-administrator', 'security'),
    person('ca-owner', 'pki'),
    person('ca-owner', 'pki'),
    person('ca-operator', 'pki'),
    ...['a', 'b', 'a', 'b'].map((unit) => person('custodian', unit)),
    ...['a', 'b', 'a'].map((unit) => person('recovery-officer', unit)),
  ];
}

describe('the approvers that are left', () => {
  it('are those whom the role table names for the class', () => {
    expect(classApprovers('L3')).to.deep.equal(['security-administrator', 'ca-owner']);
    expect(classApprovers('L4')).to.deep.equal(['custodian']);
    expect(classApprovers('judicial')).to.deep.equal(['recovery-officer']);
  });

  it('are enough after kmc-init: quorum + 1 for every class', () => {
    expect(quorumShortfalls(founders(), STANDARD_QUORUMS)).to.deep.equal([]);
  });

  for (const [index, founder] of founders().entries()) {
    it(`are too few without founder ${index + 1}, a ${founder.roles[0]?.role}`, () => {
      const left = founders().filter((_, other) => other !== index);
      expect(quorumShortfalls(left, STANDARD_QUORUMS)).not.to.deep.equal([]);
    });
  }

  it('are too few when they stand in one unit or one role', () => {
    const oneUnit = founders().map((one) => ({ ...one, unit: 'a' }));
    const classes = quorumShortfalls(oneUnit, STANDARD_QUORUMS).map((one) => one.class);
    expect(classes).to.deep.equal(['L1', 'L2', 'L3', 'judicial', 'L4']);
    const oneRole = founders().filter((one) => one.roles[0]?.role !== 'security-administrator');
    const more = [...oneRole, person('ca-owner', 'x'), person('ca-owner', 'y')];
    expect(quorumShortfalls(more, STANDARD_QUORUMS).some((one) => one.class === 'L3')).to.equal(true);
  });

  it('count each human being once, and nobody who is disabled', () => {
    const twin = person('custodian', 'c', { identityDigest: 'sm3:1' });
    const people = [
      twin,
      person('custodian', 'd', { identityDigest: 'sm3:1' }),
      person('custodian', 'e', { status: 'disabled' }),
    ];
    expect(eligibleApprovers(people, 'L4').map((one) => one.id)).to.deep.equal([twin.id]);
  });
});

describe('a change among the people', () => {
  it('is answerable for the shortfalls that it brings or makes worse, not for those before it', () => {
    const founding = founders();
    const [first, second] = founding;
    const without = (people: readonly Person[], gone: Person | undefined) => people.filter((one) => one !== gone);
    const fewer = without(founding, first);
    const brought = newShortfalls(founding, fewer, STANDARD_QUORUMS).map((one) => one.class);
    expect(brought).to.deep.equal(['L3']);
    expect(newShortfalls(fewer, without(fewer, second), STANDARD_QUORUMS).map((one) => one.class)).to.include('L3');
    expect(newShortfalls(fewer, [...fewer, person('witness', 'x')], STANDARD_QUORUMS)).to.deep.equal([]);
    const spare = person('bundle-signer', 'pki');
    expect(newShortfalls([...fewer, spare], fewer, STANDARD_QUORUMS)).to.deep.equal([]);
  });

  it('takes away a role that some act requires only with its last active holder', () => {
    const [one, other] = [person('audit-administrator', 'audit'), person('audit-administrator', 'audit')];
    const disabled: Person = { ...other, status: 'disabled' };
    expect(lostRoles([one, other], [one])).to.deep.equal([]);
    expect(lostRoles([one, other], [disabled])).to.deep.equal(['audit-administrator']);
    expect(lostRoles([disabled], [])).to.deep.equal([]);
    expect(lostRoles([person('auditor', 'audit')], [])).to.deep.equal([]);
  });
});
