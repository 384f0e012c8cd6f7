import { expect } from 'chai';
import { APPROVAL_CLASSES, leastApprovals, STANDARD_QUORUMS } from '../../src/domain/quorum.ts';

const HOUR = 3600;
const DAY = 86_400;

describe('the classes of dual control', () => {
  it('ask for what D.3 says', () => {
    const { L1, L2, L3, judicial, L4 } = STANDARD_QUORUMS;
    expect(L1).to.include({ approvals: 1, expirySeconds: 72 * HOUR, expiryKind: 'fixed' });
    expect(L2).to.include({ approvals: 2, distinctRoles: 2, expirySeconds: 72 * HOUR });
    expect(L3).to.include({
      approvals: 3,
      distinctRoles: 2,
      distinctUnits: 2,
      beyondOneProvince: true,
      expirySeconds: 7 * DAY,
    });
    expect(judicial).to.include({ approvals: 2, distinctOrganisations: 2, expiryKind: 'stated' });
    expect(L4).to.include({ approvals: 3, expiryKind: 'stated' });
  });

  it('cool down for an hour in L3 alone', () => {
    expect(APPROVAL_CLASSES.map((name) => STANDARD_QUORUMS[name].coolDownSeconds)).to.deep.equal([0, 0, HOUR, 0, 0]);
  });

  it('never let one person act alone from L2 on', () => {
    expect(APPROVAL_CLASSES.map((name) => leastApprovals(name))).to.deep.equal([1, 2, 2, 2, 2]);
  });
});
