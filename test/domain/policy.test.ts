import { expect } from 'chai';
import {
  certificateProfile,
  deviceProfile,
  policyDigest,
  policyText,
  type PolicySet,
} from '../../src/domain/policy.ts';
import { canonicalizeSigned, parseStrictJson } from '../../src/crypto/jcs.ts';
import { POLICIES } from './approval/cast.ts';
import { refusalOf } from './refusal.ts';

describe('the policy set', () => {
  it('has canonical text without numbers, so that its digest is alike in every language', () => {
    const text = policyText(POLICIES);
    expect(canonicalizeSigned(parseStrictJson(text))).to.equal(text);
    expect(text).to.include('"approvals":"3"');
  });

  it('has one digest whatever the order of members, and another for any other value', () => {
    const { version, quorums, ...rest } = POLICIES;
    const turned: PolicySet = { ...rest, quorums, version };
    expect(policyDigest(turned)).to.equal(policyDigest(POLICIES));
    const changed: readonly PolicySet[] = [
      { ...POLICIES, version: '2' },
      { ...POLICIES, quorums: { ...POLICIES.quorums, L2: { ...POLICIES.quorums.L2, approvals: 1 } } },
      { ...POLICIES, exclusions: POLICIES.exclusions.slice(1) },
      { ...POLICIES, auditRetentionDays: POLICIES.auditRetentionDays + 1 },
      { ...POLICIES, publication: { ...POLICIES.publication, ocsp: 'http://other.example/ocsp' } },
    ];
    const digests = new Set([POLICIES, ...changed].map((set) => policyDigest(set)));
    expect(digests.size).to.equal(changed.length + 1);
  });

  it('gives profiles by name and refuses a name that it does not hold', () => {
    expect(certificateProfile(POLICIES, 'root').kind).to.equal('root');
    expect(deviceProfile(POLICIES, 'hub-gateway')).to.include({ marked: true, tier: 'hub' });
    for (const name of ['nothing', 'constructor', '__proto__']) {
      expect(refusalOf(() => certificateProfile(POLICIES, name))?.code).to.equal('E_POLICY');
      expect(refusalOf(() => deviceProfile(POLICIES, name))?.code).to.equal('E_POLICY');
    }
  });
});
