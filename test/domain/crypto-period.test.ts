import { expect } from 'chai';
import { originatorVerdict, requireOriginatorPeriod, requireProcessingPeriod } from '../../src/domain/crypto-period.ts';
import { POLICIES } from './approval/cast.ts';
import { refusalOf } from './refusal.ts';

const ACTIVATED = new Date('2026-01-01T00:00:00Z');
const at = (seconds: number): Date => new Date(ACTIVATED.getTime() + seconds * 1000);
const PERIOD = { originateSeconds: 1000, processSeconds: 500 };

describe('a crypto-period', () => {
  for (const [seconds, verdict] of [
    [-1, 'before'],
    [0, 'within'],
    [799, 'within'],
    [800, 'near-end'],
    [1000, 'near-end'],
    [1001, 'over'],
  ] as const) {
    it(`says ${verdict} at second ${seconds}`, () => {
      expect(originatorVerdict(PERIOD, ACTIVATED, at(seconds))).to.equal(verdict);
      const refused = verdict === 'before' || verdict === 'over';
      const refusal = refusalOf(() => requireOriginatorPeriod(PERIOD, ACTIVATED, at(seconds)));
      expect(refusal?.code).to.equal(refused ? 'E_PERIOD' : undefined);
    });
  }

  it('lets a key process until the last second of the processing period', () => {
    for (const [seconds, code] of [
      [1499, undefined],
      [1500, undefined],
      [1501, 'E_PERIOD'],
    ] as const) {
      expect(refusalOf(() => requireProcessingPeriod(PERIOD, ACTIVATED, at(seconds)))?.code).to.equal(code);
    }
  });

  it('without a processing period lets a key process for as long as records law asks', () => {
    expect(refusalOf(() => requireProcessingPeriod({ originateSeconds: 1 }, ACTIVATED, at(1e9)))).to.equal(undefined);
  });

  it('is stated by the shipped policy within the table of security-and-faults 3.2', () => {
    const days = (name: keyof typeof POLICIES.cryptoPeriods): number =>
      POLICIES.cryptoPeriods[name].originateSeconds / 86_400;
    expect(days('share-set')).to.be.at.most(366);
    expect(days('master-key')).to.be.at.most(366);
    expect(days('kek-escrow-store')).to.be.at.most(366);
    expect(POLICIES.cryptoPeriods['kek-escrow-store'].mostBlobs).to.equal(2 ** 24);
    expect(days('kek-audit-mac')).to.be.at.most(184);
    expect(days('issuing-signing')).to.be.within(3 * 365, 5 * 366);
    expect(days('person-signing')).to.be.within(365, 3 * 366);
    expect(days('device-encryption')).to.be.within(365, 3 * 366);
    expect(days('managed-data-encryption')).to.be.at.most(2 * 366);
  });
});
