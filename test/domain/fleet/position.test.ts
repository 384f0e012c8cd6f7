import { expect } from 'chai';
import fc from 'fast-check';
import { FLEET_LEVELS, rankOf } from '../../../src/domain/fleet/levels.ts';
import { REPORT_SCHEMA, type DeviceReport } from '../../../src/domain/fleet/device-report.ts';
import { positionsAfter, type Position } from '../../../src/domain/fleet/position.ts';
import type { ManifestAnchor, ManifestBody } from '../../../src/domain/trust/manifest.ts';
import { KmcError } from '../../../src/errors.ts';

const digest = (digit: string): string => `sm3:${digit.repeat(64)}`;
const [OLD, NEW, API] = [digest('a'), digest('b'), digest('c')];
const anchor = (spkiSm3: string, more: Partial<ManifestAnchor> = {}) =>
  ({ spkiSm3, state: 'TRUSTED', purposes: ['ike', 'tlcp'], ...more }) as ManifestAnchor;
const MANIFEST = { anchors: [anchor(OLD), anchor(NEW), anchor(API, { purposes: ['api'] })] } as unknown as ManifestBody;

function report(level: DeviceReport['level'], more: Partial<DeviceReport> = {}): DeviceReport {
  const common = {
    schema: REPORT_SCHEMA,
    bundle: 'extranet',
    bundleVersion: '2',
    bundleDigest: OLD,
    firmware: '1',
  } as const;
  const canary = { nonce: '', leafSm3: OLD, accepted: true, decoySm3: OLD, decoyAccepted: false, pathSpki: [NEW] };
  const certificates = { sign: OLD, enc: OLD, usedAt: '2026-06-01T00:00:00Z' };
  return {
    ...common,
    level,
    ...(level === 'FETCHED' ? {} : { anchors: [OLD, NEW] }),
    ...(level === 'VERIFIED' ? { canary } : {}),
    ...(level === 'MIGRATED' ? { certificates } : {}),
    ...more,
  };
}

function after(before: readonly Position[], given: DeviceReport): Position[] {
  const subjectRoot = given.level === 'VERIFIED' || given.level === 'MIGRATED' ? NEW : undefined;
  return positionsAfter({ report: given, manifest: MANIFEST, before, subjectRoot });
}

const levelOf = (positions: readonly Position[], root: string) =>
  positions.find(({ rootSm3 }) => rootSm3 === root)?.level;

describe('the positions of a device', () => {
  it('are one for each root of the version, and none for the transport CA or a distrusted root', () => {
    expect(after([], report('FETCHED')).map(({ rootSm3, level }) => [rootSm3, level])).deep.equal([
      [OLD, 'FETCHED'],
      [NEW, 'FETCHED'],
    ]);
    const manifest = { anchors: [anchor(OLD, { state: 'DISTRUSTED' }), anchor(NEW)] } as unknown as ManifestBody;
    const left = positionsAfter({ report: report('INSTALLED'), manifest, before: [], subjectRoot: undefined });
    expect(left.map(({ rootSm3 }) => rootSm3)).deep.equal([NEW]);
  });

  it('move the root that the report is about, and leave the other where it was', () => {
    let positions = after([], report('INSTALLED'));
    positions = after(positions, report('VERIFIED'));
    expect([levelOf(positions, OLD), levelOf(positions, NEW)]).deep.equal(['INSTALLED', 'VERIFIED']);
    positions = after(positions, report('MIGRATED'));
    expect([levelOf(positions, OLD), levelOf(positions, NEW)]).deep.equal(['INSTALLED', 'MIGRATED']);
    expect(positions.find(({ rootSm3 }) => rootSm3 === NEW)?.usedAt?.toISOString()).equal('2026-06-01T00:00:00.000Z');
    positions = after(positions, report('INSTALLED', { anchors: [OLD] }));
    expect([levelOf(positions, OLD), levelOf(positions, NEW)]).deep.equal(['INSTALLED', 'FETCHED']);
  });

  it('keep a fault until a report of the same root has none', () => {
    const refused = after([], report('FETCHED', { fault: 'link-mismatch' }));
    expect(refused.map(({ fault }) => fault)).deep.equal(['link-mismatch', 'link-mismatch']);
    expect(after(refused, report('INSTALLED')).map(({ fault }) => fault)).deep.equal([undefined, undefined]);
  });

  it('skip no level, whatever is reported in whatever order', () => {
    const reports = fc.array(
      fc.record({
        level: fc.constantFrom('FETCHED', 'INSTALLED', 'VERIFIED', 'MIGRATED'),
        anchors: fc.subarray([OLD, NEW]),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(reports, (given) => {
        let positions: Position[] = [];
        for (const { level, anchors } of given) {
          const had = rankOf(levelOf(positions, NEW) ?? 'OFFERED');
          try {
            positions = after(positions, report(level, level === 'FETCHED' ? {} : { anchors }));
          } catch (error) {
            if (!(error instanceof KmcError) || error.code !== 'E_STATE') throw error;
            continue;
          }
          const has = rankOf(levelOf(positions, NEW) ?? 'OFFERED');
          // INSTALLED may be the first report: fetching stands in it.
          expect(has - had).lte(has === rankOf('INSTALLED') ? 2 : 1);
          expect(has).lte(Math.max(had, rankOf(level)));
          if (level !== 'FETCHED' && !anchors.includes(NEW)) expect(FLEET_LEVELS[has]).equal('FETCHED');
        }
      }),
    );
  });
});
