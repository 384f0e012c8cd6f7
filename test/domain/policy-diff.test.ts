import { expect } from 'chai';
import fc from 'fast-check';
import { policyChanges, policyChangeText, type PolicyEffect } from '../../src/domain/policy-diff.ts';
import { policyBody, type PolicySet } from '../../src/domain/policy.ts';
import { POLICIES } from '../fixtures/estate.ts';

const FIRST = policyBody(POLICIES);
const changesTo = (set: PolicySet): string[] => policyChanges(FIRST, policyBody(set)).map(policyChangeText);

/** The set with some rule of a class otherwise. */
function withQuorum(name: 'L1' | 'L3', given: Partial<PolicySet['quorums']['L3']>): PolicySet {
  return { ...POLICIES, quorums: { ...POLICIES.quorums, [name]: { ...POLICIES.quorums[name], ...given } } };
}

describe('what a policy change means', () => {
  it('is nothing for the same set', () => {
    expect(changesTo(POLICIES)).to.deep.equal([]);
  });

  it('says of a quorum that is lowered that it is', () => {
    expect(changesTo(withQuorum('L3', { approvals: 2 }))).to.deep.equal(['LOWERED quorums.L3.approvals: 3 -> 2']);
    expect(changesTo(withQuorum('L3', { approvals: 10 }))).to.deep.equal(['raised quorums.L3.approvals: 3 -> 10']);
    expect(
      changesTo(withQuorum('L3', { coolDownSeconds: 0, expirySeconds: 1, beyondOneProvince: false })),
    ).to.deep.equal([
      'LOWERED quorums.L3.beyondOneProvince: true -> false',
      'LOWERED quorums.L3.coolDownSeconds: 3600 -> 0',
      'raised quorums.L3.expirySeconds: 604800 -> 1',
    ]);
  });

  it('says of two roles that may stand in one person again that less is protected', () => {
    const [first, ...others] = POLICIES.exclusions;
    const name = [...(first ?? [])].sort().join('+');
    expect(changesTo({ ...POLICIES, exclusions: others })).to.deep.equal([
      `LOWERED exclusions.${name}: stands -> absent`,
    ]);
    const more: PolicySet = { ...POLICIES, exclusions: [...POLICIES.exclusions, ['ca-owner', 'ca-operator']] };
    expect(changesTo(more)).to.deep.equal(['raised exclusions.ca-operator+ca-owner: absent -> stands']);
    expect(changesTo({ ...POLICIES, exclusions: [...POLICIES.exclusions].reverse() }), 'the order says nothing').to.eql(
      [],
    );
  });

  const gateway = POLICIES.profiles['gateway-sign'];
  const hub = POLICIES.deviceProfiles['hub-gateway'];
  const region = POLICIES.regions[1];
  if (gateway === undefined || hub === undefined || region === undefined) throw new Error('the policies changed');
  const cases: readonly (readonly [PolicySet, string, PolicyEffect])[] = [
    [
      {
        ...POLICIES,
        profiles: {
          ...POLICIES.profiles,
          'gateway-sign': { ...gateway, keyUsage: ['digitalSignature', 'nonRepudiation', 'keyCertSign'] },
        },
      },
      'profiles.gateway-sign.keyUsage',
      'lowered',
    ],
    [
      {
        ...POLICIES,
        profiles: { ...POLICIES.profiles, 'gateway-sign': { ...gateway, keyUsage: ['digitalSignature'] } },
      },
      'profiles.gateway-sign.keyUsage',
      'raised',
    ],
    [
      { ...POLICIES, deviceProfiles: { ...POLICIES.deviceProfiles, 'hub-gateway': { ...hub, tier: 'edge' } } },
      'deviceProfiles.hub-gateway.tier',
      'lowered',
    ],
    [
      { ...POLICIES, deviceProfiles: { ...POLICIES.deviceProfiles, 'hub-gateway': { ...hub, marked: false } } },
      'deviceProfiles.hub-gateway.marked',
      'lowered',
    ],
    [{ ...POLICIES, auditRetentionDays: 200 }, 'auditRetentionDays', 'lowered'],
    [{ ...POLICIES, enrolment: { ...POLICIES.enrolment, tokenTries: 50 } }, 'enrolment.tokenTries', 'lowered'],
    [
      { ...POLICIES, keys: { ...POLICIES.keys, destroyWindowSeconds: 9_000_000 } },
      'keys.destroyWindowSeconds',
      'raised',
    ],
    [
      { ...POLICIES, cryptoPeriods: { ...POLICIES.cryptoPeriods, kek: { originateSeconds: 31_536_000 } } },
      'cryptoPeriods.kek.processSeconds',
      'lowered',
    ],
    [
      { ...POLICIES, regions: POLICIES.regions.filter((one) => one !== region) },
      `regions.${region.code}.code`,
      'changed',
    ],
    [{ ...POLICIES, version: '2' }, 'version', 'changed'],
  ];
  for (const [set, rule, effect] of cases) {
    it(`says of ${rule} that it is ${effect}`, () => {
      expect(policyChanges(FIRST, policyBody(set)).find((change) => change.rule === rule)?.effect).to.equal(effect);
    });
  }

  it('there and back, what was lowered is raised, and nothing is lost', () => {
    const opposite = { lowered: 'raised', raised: 'lowered', changed: 'changed' } as const;
    const arbitrary = fc.record({
      approvals: fc.integer({ min: 1, max: 9 }),
      coolDownSeconds: fc.integer({ min: 0, max: 9999 }),
      beyondOneProvince: fc.boolean(),
    });
    fc.assert(
      fc.property(arbitrary, arbitrary, (one, other) => {
        const [a, b] = [policyBody(withQuorum('L3', one)), policyBody(withQuorum('L3', other))];
        const there = policyChanges(a, b).map(({ rule, effect }) => `${rule} ${opposite[effect]}`);
        const back = policyChanges(b, a).map(({ rule, effect }) => `${rule} ${effect}`);
        expect(there.sort()).to.deep.equal(back.sort());
        expect(policyChanges(a, b).length === 0).to.equal(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});
