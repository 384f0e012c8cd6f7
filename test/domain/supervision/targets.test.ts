import { expect } from 'chai';
import fc from 'fast-check';
import { addDays } from '../../../src/domain/supervision/figures.ts';
import type { FigureCell, Measure } from '../../../src/domain/supervision/measures.ts';
import { issuedOnDays, progressOf, slopeOf, validSeries } from '../../../src/domain/supervision/targets.ts';

const TODAY = '2026-11-25';

function cell(measure: Measure, day: string, value: number, registrar = 'ra-110000'): FigureCell {
  return { measure, day, value, registrar, region: '110000', profile: 'gateway-sign', algorithm: 'SM2', label: '-' };
}

describe('targets', () => {
  it('find the slope of a line, whatever is added to it evenly', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer(), fc.integer({ min: 2, max: 100 }), (a, b, n) => {
        const values = Array.from({ length: n }, (_, day) => a * day + b);
        expect(slopeOf(values)).to.be.closeTo(a, 1e-3);
      }),
    );
    expect([slopeOf([]), slopeOf([7])]).to.deep.equal([0, 0]);
    // By hand: mean 7/3, Σ(x-1)(y-mean) = 3, Σ(x-1)² = 2.
    expect(slopeOf([1, 2, 4])).to.equal(1.5);
  });

  it('count back from what stands: issued, revoked, and what expired spread evenly', () => {
    const cells = [
      cell('certificate.live', addDays(TODAY, 1), 100),
      cell('certificate.issued', TODAY, 10),
      cell('certificate.revoked', addDays(TODAY, -1), 4),
      cell('certificate.issued', addDays(TODAY, -89), 6),
      cell('certificate.live', addDays(TODAY, 1), 1_000, '-'),
      cell('certificate.issued', TODAY, 50, 'ra-120000'),
    ];
    const { valid, days } = validSeries(cells, TODAY, 'ra-110000');
    expect([valid, days.length, days[90], days[89], days[88], days[1], days[0]]).to.deep.equal([
      100, 91, 100, 90, 94, 94, 88,
    ]);
    const expired = validSeries([...cells, cell('certificate.live', addDays(TODAY, -90), 90)], TODAY, 'ra-110000');
    expect([expired.valid, expired.days[0]]).to.deep.equal([100, 88 + 90]);
  });

  it('say when they are reached, and nothing where that is never', () => {
    const at = progressOf(150, 100, 2.5, TODAY);
    expect(at).to.deep.equal({ target: 150, valid: 100, missing: 50, perDay: 2.5, reachedOn: '2026-12-15' });
    for (const [valid, perDay] of [
      [150, 1],
      [200, 1],
      [100, 0],
      [100, -3],
      [100, 0.001],
    ] as const) {
      expect(progressOf(150, valid, perDay, TODAY)).not.to.have.property('reachedOn');
    }
  });

  it('list what was issued on the days before, with the empty ones', () => {
    const cells = [cell('certificate.issued', addDays(TODAY, -1), 3), cell('certificate.issued', TODAY, 9)];
    expect(issuedOnDays(cells, 'ra-110000', TODAY, 3)).to.deep.equal([0, 0, 3]);
    expect(issuedOnDays(cells, 'ra-120000', TODAY, 3)).to.deep.equal([0, 0, 0]);
  });
});
