/**
 * Ceremonies killed at their durable changes and resumed: `npm test` kills two of them at a few changes,
 * KMC_TEST_CRASH_POINTS=all every type at each. `npm run crash:ceremonies` prints the counts.
 */
import { expect } from 'chai';
import { CEREMONIES, CeremonyEnumeration } from './crash/enumeration.ts';

const ALL = process.env['KMC_TEST_CRASH_POINTS'] === 'all';
/** Of each ceremony, in the quick set: where it is cut, as a part of its points. */
const QUICK: Readonly<Record<string, readonly number[]>> = { 'ca-root': [0.3, 0.55, 0.9], 'kmc-init': [0.5] };

describe('crash points of the ceremonies', function crashPoints() {
  this.timeout(ALL ? 7_200_000 : 180_000);
  let enumeration: CeremonyEnumeration;
  afterEach(() => enumeration.remove());

  it('resume finishes each of them with one key, one record of each act, and a bundle that verifies', async () => {
    enumeration = new CeremonyEnumeration();
    const quick = (count: number, ceremony: string) => (QUICK[ceremony] ?? []).map((at) => Math.round(at * count));
    const chosen = ALL ? CEREMONIES : CEREMONIES.filter((one) => Object.hasOwn(QUICK, one));
    const found = await enumeration.run(chosen, ALL ? undefined : quick);
    expect(found.map(({ ceremony }) => ceremony)).to.deep.equal(chosen);
    for (const { ceremony, points, cuts, violations } of found) {
      expect(violations, ceremony).to.deep.equal([]);
      expect(points, ceremony).to.be.greaterThan(50);
      expect(cuts, ceremony).to.equal(ALL ? points : QUICK[ceremony]?.length);
    }
  });

  it('a journal that loses the record before an act is found', async () => {
    enumeration = new CeremonyEnumeration({ loseIntent: true });
    const [found] = await enumeration.run(['kmc-init'], (count) => [Math.round(count / 2)]);
    expect(found?.violations).to.have.length(1);
  });
});
