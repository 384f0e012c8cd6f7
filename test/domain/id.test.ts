import { expect } from 'chai';
import * as fc from 'fast-check';
import { isId, newId, requireId } from '../../src/domain/id.ts';
import { refusalOf } from './refusal.ts';

describe('identifiers', () => {
  it('a new one has its prefix and 26 characters, and is an identifier', () => {
    const id = newId('dev');
    expect(id).to.match(/^dev-[0-9a-hjkmnp-tv-z]{26}$/);
    expect(isId(id)).to.equal(true);
  });

  it('new ones sort by time, to the millisecond and for centuries', () => {
    const year = fc.integer({ min: 0, max: Date.UTC(9999, 0) });
    fc.assert(
      fc.property(year, year, (a, b) => {
        const [first, second] = [newId('ev', new Date(a)), newId('ev', new Date(b))];
        if (a !== b) expect(first < second).to.equal(a < b);
      }),
    );
  });

  it('of 10,000 made in one millisecond no two are the same', () => {
    const at = new Date(1_700_000_000_000);
    expect(new Set(Array.from({ length: 10_000 }, () => newId('ev', at))).size).to.equal(10_000);
  });

  it('a prefix is lower-case letters and digits', () => {
    for (const prefix of ['', '1a', 'A', 'a-b', 'a'.repeat(17), 'é']) {
      expect(refusalOf(() => newId(prefix))?.code).to.equal('E_ID');
    }
  });

  it('an identifier is 1 to 64 lower-case letters, digits and hyphens', () => {
    for (const id of ['a', '0', 'gw-beijing-1', 'a'.repeat(64)]) expect(requireId(id, 'device id')).to.equal(id);
    for (const id of ['', '-a', 'A', 'a_b', 'a/b', '..', 'a\n', 'a'.repeat(65), 'gw\u0000', '网关']) {
      expect(refusalOf(() => requireId(id, 'device id'))?.code).to.equal('E_ID');
    }
  });
});
