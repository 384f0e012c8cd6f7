import { expect } from 'chai';
import {
  accountInForce,
  holdsRoleIn,
  isSamePerson,
  rolesOf,
  type Account,
  type Person,
} from '../../src/domain/person.ts';
import { personSubject, subjectPerson } from '../../src/domain/person-name.ts';
import { encodeName, parseName } from '../../src/x509/name.ts';

const ACCOUNT: Account = {
  certificateSm3: `sm3:${'a'.repeat(64)}`,
  kid: `sm3:${'b'.repeat(64)}`,
  tokenSerial: 'UK-7',
  status: 'valid',
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2027-01-01T00:00:00Z'),
};
const PERSON: Person = {
  id: 'p-1',
  name: '管理员一',
  unit: '密钥处',
  organisation: '国家密钥管理中心',
  region: '110000',
  status: 'active',
  identityDigest: `sm3:${'c'.repeat(64)}`,
  roles: [{ role: 'ra-operator', region: '110000' }, { role: 'recovery-officer' }],
  accounts: [ACCOUNT],
};

describe('a person', () => {
  it('holds a regional role in the region of the grant alone', () => {
    expect(holdsRoleIn(PERSON, 'ra-operator', '110000')).to.equal(true);
    expect(holdsRoleIn(PERSON, 'ra-operator', '650000')).to.equal(false);
    expect(holdsRoleIn(PERSON, 'ra-operator')).to.equal(false);
    expect(
      holdsRoleIn({ roles: [{ role: 'ra-operator' }] }, 'ra-operator', '110000'),
      'a grant without region',
    ).to.equal(false);
  });

  it('holds another role everywhere', () => {
    expect(holdsRoleIn(PERSON, 'recovery-officer')).to.equal(true);
    expect(holdsRoleIn(PERSON, 'recovery-officer', '650000')).to.equal(true);
    expect(holdsRoleIn(PERSON, 'ca-owner')).to.equal(false);
    expect([...rolesOf(PERSON)]).to.deep.equal(['ra-operator', 'recovery-officer']);
  });

  const stranger: Person = { ...PERSON, id: 'p-2', identityDigest: `sm3:${'d'.repeat(64)}`, accounts: [] };
  const twins: Readonly<Record<string, Partial<Person>>> = {
    'the same id': { id: 'p-1' },
    'the same identity number': { identityDigest: `sm3:${'c'.repeat(64)}` },
    'the same key under another certificate': {
      accounts: [{ ...ACCOUNT, certificateSm3: 'sm3:other', tokenSerial: 'UK-8' }],
    },
    'the same token with another key': { accounts: [{ ...ACCOUNT, certificateSm3: 'sm3:other', kid: 'sm3:other' }] },
  };
  for (const [what, change] of Object.entries(twins)) {
    it(`is the same one with ${what}`, () => {
      expect(isSamePerson(PERSON, { ...stranger, ...change })).to.equal(true);
      expect(isSamePerson({ ...stranger, ...change }, PERSON)).to.equal(true);
    });
  }
  it('is another one when nothing is shared, whatever the name', () => {
    expect(isSamePerson(PERSON, stranger)).to.equal(false);
  });

  it('has an account in force from the first to the last second of its certificate', () => {
    const at = (time: string): boolean => accountInForce(PERSON, ACCOUNT.certificateSm3, new Date(time)) !== undefined;
    expect(at('2025-12-31T23:59:59Z')).to.equal(false);
    expect(at('2026-01-01T00:00:00Z')).to.equal(true);
    expect(at('2027-01-01T00:00:00Z')).to.equal(true);
    expect(at('2027-01-01T00:00:01Z')).to.equal(false);
  });

  it('stands in the subject of a certificate and is read back from it', () => {
    const { id, name, unit, organisation, region } = PERSON;
    const subject = parseName(encodeName(personSubject(PERSON)), 'E_CERT');
    expect(subjectPerson(subject)).to.deep.equal({ id, name, unit, organisation, region });
    expect(subject.text).to.equal('serialNumber=p-1,CN=管理员一,ST=110000,OU=密钥处,O=国家密钥管理中心,C=CN');
  });

  it('is not read from a subject in another form', () => {
    for (const attributes of [
      [{ type: 'CN', value: 'x' }],
      [...personSubject(PERSON), { type: 'serialNumber', value: 'p-2' }],
    ] as const) {
      expect(subjectPerson(parseName(encodeName(attributes), 'E_CERT'))).to.equal(undefined);
    }
  });
});
