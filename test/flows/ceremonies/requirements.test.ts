/** The table of scripts/README.md that names, for each requirement of the ceremony tool, the tests that show it (C21). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const TESTS = join(import.meta.dirname, '../..');
const BOOK = readFileSync(join(TESTS, '../scripts/README.md'), 'utf8');
const ROW = /^\| (C\d+) \| [^|]+ \| `([^`]+)`: ([^|]+) \| `([^`]+)`: ([^|]+) \|$/gm;

describe('requirements of the ceremony tool', () => {
  const rows = [...BOOK.matchAll(ROW)];

  it('are named once each, in their order', () => {
    const ids = rows.map(([, id]) => Number(id?.slice(1)));
    expect(ids.length).to.be.greaterThan(15);
    expect([...new Set(ids)].sort((a, b) => a - b)).to.deep.equal(ids);
  });

  for (const [, id, acceptingFile, accepting, refusingFile, refusing] of rows) {
    it(`${id} has a test that accepts and one that refuses`, () => {
      for (const [file, title] of [
        [acceptingFile, accepting],
        [refusingFile, refusing],
      ]) {
        const source = readFileSync(join(TESTS, file ?? ''), 'utf8');
        expect(source.includes(`'${title}'`) || source.includes(`\`${title}\``), `${file}: ${title}`).to.equal(true);
      }
    });
  }
});
