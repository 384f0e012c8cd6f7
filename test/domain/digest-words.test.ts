import { expect } from 'chai';
import { DIGEST_WORDS, digestWords } from '../../src/domain/digest-words.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { refusalOf } from './refusal.ts';

/** Letters that must change to make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, x] of a.split('').entries()) {
    let diagonal = i;
    const next = [i + 1];
    for (const [j, y] of b.split('').entries()) {
      const up = row[j + 1] ?? 0;
      next.push(Math.min(up + 1, (next[j] ?? 0) + 1, diagonal + (x === y ? 0 : 1)));
      diagonal = up;
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

describe('digest words', () => {
  const all = [...DIGEST_WORDS.even, ...DIGEST_WORDS.odd];

  it('are two lists of 256 words that no other word of either list resembles by one letter', () => {
    expect(DIGEST_WORDS.even).to.have.length(256);
    expect(DIGEST_WORDS.odd).to.have.length(256);
    expect(new Set(all).size).to.equal(512);
    const near = all.flatMap((a, index) =>
      all
        .slice(index + 1)
        .filter((b) => distance(a, b) < 2)
        .map((b) => `${a}/${b}`),
    );
    expect(near).to.deep.equal([]);
  });

  it('are lower-case words of 4 to 12 letters', () => {
    for (const word of all) expect(word).to.match(/^[a-z]{4,12}$/);
  });

  it('are the same for ever: minutes of old ceremonies keep their meaning', () => {
    const lists = Buffer.from(all.join(' '), 'ascii');
    expect(sm3(lists).toString('hex')).to.equal('391b4ea7e804fa45ddb2e9141924d43c74eaf9cf23e2b744594b3bf3d4c52dfb');
  });

  it('stand for the first eight octets, even and odd in turn', () => {
    const words = digestWords(`sm3:0001fffe0a${'00'.repeat(27)}`);
    expect(words).to.have.length(8);
    const expected = [0, 1, 255, 254, 10, 0, 0, 0].map(
      (octet, index) => (index % 2 === 0 ? DIGEST_WORDS.even : DIGEST_WORDS.odd)[octet],
    );
    expect(words).to.deep.equal(expected);
    expect(digestWords(`0001fffe0a${'00'.repeat(27)}`)).to.deep.equal(words);
  });

  it('are refused for what is no digest', () => {
    for (const text of ['', 'sm3:', `sm3:${'A'.repeat(64)}`, 'a'.repeat(63)]) {
      expect(refusalOf(() => digestWords(text))?.code).to.equal('E_SCHEMA');
    }
  });
});
