import { expect } from 'chai';
import {
  alarmChanges,
  authorityAlarms,
  supervisedAlarms,
  type AlarmCondition,
  type AuthoritySight,
  type SupervisedSight,
} from '../../../src/domain/supervision/alarms.ts';

const RULE = { days: 7, deviations: 6, least: 20 };
const QUIET: AuthoritySight = {
  id: 'ra-110000',
  region: '110000',
  state: 'in-service',
  operators: 2,
  overdue: 0,
  issuedBefore: [5, 5, 5, 5, 5, 5, 5, 5],
  issuedToday: 25,
};
const NOW = new Date('2026-11-25T08:00:00Z');
const HOURS = (hours: number): Date => new Date(NOW.getTime() + hours * 3_600_000);
const GOOD: SupervisedSight = {
  id: 'ca-anhui',
  region: '340000',
  registeredAt: HOURS(-1000),
  succeededAt: HOURS(-1),
  failure: undefined,
  nextUpdate: HOURS(1),
};

const kinds = (alarms: readonly AlarmCondition[]): string[] => alarms.map(({ kind }) => kind);

describe('alarms', () => {
  it('of a registration authority: operators, renewals, today and yesterday', () => {
    const of = (more: Partial<AuthoritySight>) => kinds(authorityAlarms({ ...QUIET, ...more }, RULE));
    expect(of({})).to.deep.equal([]);
    expect(of({ operators: 1 })).to.deep.equal(['operators-missing']);
    expect(of({ operators: 0, state: 'operators-appointed' })).to.deep.equal([]);
    expect(of({ overdue: 1 })).to.deep.equal(['renewal-overdue']);
    expect(of({ issuedToday: 26 })).to.deep.equal(['issuance-unusual']);
    expect(of({ issuedBefore: [5, 5, 5, 5, 5, 5, 5, 26], issuedToday: 0 })).to.deep.equal(['issuance-unusual']);
  });

  it('of a supervised authority: silence, bad publications, a CRL out of date', () => {
    const of = (more: Partial<SupervisedSight>) => kinds(supervisedAlarms({ ...GOOD, ...more }, NOW, 86_400));
    expect(of({})).to.deep.equal([]);
    expect(of({ succeededAt: HOURS(-25), failure: 'E_STORAGE: it does not answer' })).to.deep.equal([
      'supervised-unreachable',
    ]);
    expect(of({ failure: 'E_STORAGE: it does not answer' })).to.deep.equal([]);
    expect(of({ failure: 'E_SIGNATURE: forged' })).to.deep.equal(['supervised-refused']);
    expect(of({ nextUpdate: HOURS(0) })).to.deep.equal(['supervised-crl-stale']);
    expect(of({ nextUpdate: undefined })).to.deep.equal([]);
    expect(of({ nextUpdate: undefined, succeededAt: undefined })).to.deep.equal([
      'supervised-unreachable',
      'supervised-crl-stale',
    ]);
  });

  it('are raised once for what holds, and cleared when it holds no more', () => {
    const one = { kind: 'crl-stale', subject: 'sm2-issuing/complete', region: undefined, says: 'a' } as const;
    const other = { ...one, kind: 'approval-waiting', subject: 'rq-1' } as const;
    expect(alarmChanges([], [one, { ...one, says: 'b' }]).raise).to.have.length(1);
    expect(alarmChanges([one], [{ ...one, says: 'b' }])).to.deep.equal({ raise: [], clear: [] });
    expect(alarmChanges([one], [other])).to.deep.equal({ raise: [other], clear: [one] });
  });
});
