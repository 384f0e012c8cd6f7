import { expect } from 'chai';
import {
  AUDIT_ROLES,
  EXCLUDED_PAIRS,
  excludedInCeremony,
  isRoleName,
  OPERATING_ROLES,
  requireCompatibleRoles,
  ROLE_NAMES,
  roleConflicts,
  ROLES,
  type RoleName,
} from '../../src/domain/roles.ts';
import { refusalOf } from './refusal.ts';

/** D.3, last column, word for word. */
const NEVER_WITH: Readonly<Record<string, readonly string[]>> = {
  'system-administrator': ['security-administrator', 'custodian', 'audit roles'],
  'security-administrator': ['system-administrator', 'audit roles'],
  'audit-administrator': ['operating roles'],
  auditor: ['operating roles'],
  'ca-owner': ['audit roles'],
  'ca-operator': ['custodian', 'audit roles'],
  'ra-operator': ['audit roles'],
  custodian: ['system-administrator', 'ca-operator', 'bundle-signer', 'audit roles'],
  'bundle-signer': ['custodian', 'audit roles'],
  'recovery-officer': ['audit roles'],
  witness: [],
};
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'audit roles': ['audit-administrator', 'auditor'],
  'operating roles': [
    'system-administrator',
    'security-administrator',
    'ca-owner',
    'ca-operator',
    'ra-operator',
    'custodian',
    'bundle-signer',
    'recovery-officer',
  ],
};

function isExcluded(a: RoleName, b: RoleName): boolean {
  return (NEVER_WITH[a] ?? []).flatMap((name) => GROUPS[name] ?? [name]).includes(b);
}

describe('roles', () => {
  it('are the eleven of the table, and no others', () => {
    expect(ROLE_NAMES).to.deep.equal(Object.keys(NEVER_WITH));
    expect(isRoleName('auditor')).to.equal(true);
    expect(isRoleName('super-administrator')).to.equal(false);
    expect(isRoleName('constructor')).to.equal(false);
  });

  it('operating and audit roles are those that D.3 names', () => {
    expect(OPERATING_ROLES).to.deep.equal(GROUPS['operating roles']);
    expect(AUDIT_ROLES).to.deep.equal(GROUPS['audit roles']);
  });

  it('only the ra-operator is bound to a region', () => {
    expect(ROLE_NAMES.filter((name) => ROLES[name].regional)).to.deep.equal(['ra-operator']);
  });

  for (const [index, a] of ROLE_NAMES.entries()) {
    for (const b of ROLE_NAMES.slice(index + 1)) {
      const excluded = isExcluded(a, b);
      it(`one person ${excluded ? 'cannot hold' : 'may hold'} ${a} and ${b}`, () => {
        expect(isExcluded(b, a), 'the table reads alike from both sides').to.equal(excluded);
        expect(roleConflicts([b, a])).to.have.length(excluded ? 1 : 0);
        const refusal = refusalOf(() => requireCompatibleRoles(['witness', a, b]));
        expect(refusal?.code).to.equal(excluded ? 'E_FORBIDDEN' : undefined);
      });
    }
  }

  it('every pair stands in the table once', () => {
    const keys = EXCLUDED_PAIRS.map((pair) => pair.join('+'));
    expect(new Set(keys).size).to.equal(keys.length);
    expect(keys).to.have.length(4 + 2 * 8);
  });

  it('in a ceremony a witness holds no other role, and is still a witness', () => {
    for (const role of ROLE_NAMES) expect(excludedInCeremony('witness', role)).to.equal(role !== 'witness');
    expect(excludedInCeremony('custodian', 'ca-operator')).to.equal(true);
    expect(excludedInCeremony('custodian', 'ca-owner')).to.equal(false);
  });

  it('policy can add pairs', () => {
    const pairs = [...EXCLUDED_PAIRS, ['ca-owner', 'recovery-officer'] as const];
    expect(roleConflicts(['recovery-officer', 'ca-owner'], pairs)).to.deep.equal([['ca-owner', 'recovery-officer']]);
  });
});
