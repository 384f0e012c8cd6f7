import { expect } from 'chai';
import fc from 'fast-check';
import { isUnusual, median, usualLimit } from '../../../src/domain/supervision/unusual-issuance.ts';

const RULE = { days: 7, deviations: 6, least: 20 };

describe('unusual issuance', () => {
  it('takes the median of an odd and of an even number of values', () => {
    expect([median([]), median([5]), median([1, 9, 2]), median([4, 1, 3, 2])]).to.deep.equal([0, 5, 2, 2.5]);
  });

  it('is what is above the median by six deviations, and by the least at any rate', () => {
    // Median 101; deviations 0, 1, 1, 2, 2, 3, 9: their median is 2, so the limit is 101 + 6 × 1.4826 × 2.
    const before = [100, 101, 99, 102, 98, 103, 110];
    expect(usualLimit(before, { ...RULE, least: 1 })).to.be.closeTo(118.7912, 0.001);
    expect(usualLimit(before, RULE)).to.equal(121);
    expect(isUnusual(121, before, RULE)).to.equal(false);
    expect(isUnusual(122, before, RULE)).to.equal(true);
    expect(isUnusual(21, [0, 0, 0, 0, 0, 0, 0], RULE)).to.equal(true);
    expect(isUnusual(20, [0, 0, 0, 0, 0, 0, 0], RULE)).to.equal(false);
  });

  it('says nothing with too few days before, and is not led astray by less than half of them', () => {
    expect(isUnusual(1_000_000, [1, 1, 1, 1, 1, 1], RULE)).to.equal(false);
    fc.assert(
      fc.property(fc.array(fc.nat(1_000_000), { minLength: 3, maxLength: 3 }), (wild) => {
        expect(usualLimit([10, 10, 10, 10, ...wild], RULE)).to.equal(30);
      }),
    );
  });
});
