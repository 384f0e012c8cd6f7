import { expect } from 'chai';
import fc from 'fast-check';
import { FLEET_LEVELS, isDark, levelNow, stragglerStage } from '../../../src/domain/fleet/levels.ts';
import {
  fleetReadiness,
  reachesShare,
  readinessOfMembers,
  standingOf,
  type FleetMember,
} from '../../../src/domain/fleet/readiness.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const EVIDENCE = { reports: 0, oldest: undefined, newest: undefined };
const daysAgo = (days: number): Date => new Date(NOW.getTime() - days * 86_400_000);

function member(id: string, given: Partial<FleetMember> = {}): FleetMember {
  return {
    id,
    serial: `SN-${id}`,
    kind: 'gateway',
    region: '110000',
    tier: 'standard',
    vendor: 'Example',
    model: 'SG-1',
    firmware: '4.2',
    ring: false,
    wave: 1,
    fault: undefined,
    oldUsedAt: undefined,
    level: 'VERIFIED',
    offeredAt: daysAgo(40),
    seenAt: daysAgo(1),
    waivedUntil: undefined,
    ...given,
  };
}

const readiness = (members: readonly FleetMember[]) =>
  readinessOfMembers(members, { at: NOW, goal: 'VERIFIED', evidence: EVIDENCE });

describe('readiness of a fleet', () => {
  it('counts what each device has reached, by region, tier, model and ring, and terminals apart', () => {
    const answer = readiness([
      member('a', { ring: true }),
      member('b', { tier: 'hub', level: 'INSTALLED', region: '650000' }),
      member('c', { model: 'SG-2', level: 'OFFERED', firmware: undefined, seenAt: undefined }),
      member('t', { kind: 'terminal', level: 'FETCHED' }),
    ]);
    expect(answer.overall.counted).equal(3);
    expect(answer.overall.reached).deep.equal({ OFFERED: 3, FETCHED: 2, INSTALLED: 2, VERIFIED: 1, MIGRATED: 0 });
    expect(answer.regions.map(({ region, counted }) => [region, counted])).deep.equal([
      ['110000', 2],
      ['650000', 1],
    ]);
    expect(answer.hub).deep.include({ counted: 1, dark: 0 });
    expect(answer.ring.reached.VERIFIED).equal(1);
    expect(answer.models.map(({ model, firmware, counted }) => [model, firmware, counted])).deep.equal([
      ['SG-1', '4.2', 2],
      ['SG-2', undefined, 1],
    ]);
    expect(answer.terminals?.reached.FETCHED).equal(1);
  });

  it('names the stragglers, longest clock first, with where their clock stands', () => {
    const answer = readiness([
      member('late', { level: 'INSTALLED', offeredAt: daysAgo(46) }),
      member('later', { level: 'OFFERED', offeredAt: daysAgo(61), seenAt: undefined }),
      member('waits', { level: 'OFFERED', offeredAt: undefined, seenAt: undefined }),
      member('done'),
    ]);
    expect(answer.stragglers.total).equal(3);
    expect(answer.stragglers.listed.map(({ id, stage, dark }) => [id, stage, dark])).deep.equal([
      ['later', 'decide', true],
      ['late', 'ticket', false],
      ['waits', 'not-started', false],
    ]);
  });

  it('keeps a dark device in the denominator, and lets one out only while its waiver runs', () => {
    const dark = member('dark', { level: 'OFFERED', seenAt: daysAgo(31) });
    expect(readiness([member('a'), dark]).overall).deep.include({ counted: 2, dark: 1 });
    const waived = { ...dark, waivedUntil: new Date(NOW.getTime() + 1) };
    expect(readiness([member('a'), waived]).overall).deep.include({ counted: 1, dark: 0, waived: 1 });
    expect(readiness([member('a'), waived]).stragglers.total).equal(0);
    expect(readiness([member('a'), { ...dark, waivedUntil: NOW }]).overall).deep.include({ counted: 2, waived: 0 });
  });

  it('counts refusals and devices that went silent on their way, wave by wave', () => {
    const answer = readiness([
      member('ok'),
      member('refused', { level: 'FETCHED', fault: 'link-mismatch' }),
      member('silent', { level: 'FETCHED', seenAt: daysAgo(4), wave: 2 }),
      member('later', { level: 'OFFERED', seenAt: daysAgo(4), wave: undefined }),
    ]);
    const waves = answer.waves.map(({ wave, counted, faulty, silent }) => [wave, counted, faulty, silent]);
    expect(waves).deep.equal([
      [1, 2, 1, 0],
      [2, 1, 0, 1],
    ]);
  });

  it('lets MIGRATED fall back once the new certificates were not used for 14 days', () => {
    expect(levelNow('MIGRATED', daysAgo(14), NOW)).equal('MIGRATED');
    expect(levelNow('MIGRATED', daysAgo(15), NOW)).equal('VERIFIED');
    expect(levelNow('INSTALLED', undefined, NOW)).equal('INSTALLED');
  });

  it('moves the clock at 14, 30, 45 and 60 days, and DARK at more than 30', () => {
    const stages = [0, 13, 14, 29, 30, 44, 45, 59, 60].map((days) => stragglerStage(daysAgo(days), NOW));
    expect(stages).deep.equal(['running', 'running', 'warn', 'warn', 'named', 'named', 'ticket', 'ticket', 'decide']);
    expect(isDark(daysAgo(30), undefined, NOW)).equal(false);
    expect(isDark(new Date(daysAgo(30).getTime() - 1), undefined, NOW)).equal(true);
    expect(isDark(undefined, undefined, NOW)).equal(false);
  });

  it('compares shares exactly', () => {
    expect(reachesShare(9989, 10_000, 9990)).equal(false);
    expect(reachesShare(9990, 10_000, 9990)).equal(true);
    expect(reachesShare(74_925, 75_000, 9990)).equal(true);
    expect(reachesShare(74_924, 75_000, 9990)).equal(false);
    expect(reachesShare(0, 0, 10_000)).equal(true);
  });

  it('says the same of groups as of single devices', () => {
    const one = fc.record({
      region: fc.constantFrom('110000', '310000'),
      tier: fc.constantFrom('hub' as const, 'standard' as const),
      level: fc.constantFrom(...FLEET_LEVELS),
      ring: fc.boolean(),
      seenAt: fc.constantFrom(daysAgo(1), daysAgo(90), undefined),
      waivedUntil: fc.constantFrom(undefined, new Date(NOW.getTime() + 1)),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 30 }), (given) => {
        const members = given.map((each, at) => member(`d${at}`, each));
        const groups = new Map<string, ReturnType<typeof standingOf>>();
        for (const each of members.map((alone) => standingOf(alone, NOW))) {
          const key = JSON.stringify(each);
          groups.set(key, { ...each, count: (groups.get(key)?.count ?? 0) + 1 });
        }
        const facts = { at: NOW, goal: 'VERIFIED' as const, evidence: EVIDENCE, stragglers: [] };
        const { stragglers, ...counts } = readiness(members);
        const grouped = fleetReadiness({ ...facts, standings: groups.values() });
        expect({ ...counts, stragglers: { total: stragglers.total, listed: [] } }).deep.equal(grouped);
      }),
    );
  });
});
