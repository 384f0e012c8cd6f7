/** Shares on paper: what is typed right comes back, and everything typed wrong is named by its group. */
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeShareText, encodeShareText, SHARE_TEXT_GROUPS } from '../../src/crypto/share-text.ts';
import { refusalOf } from '../domain/refusal.ts';

const SHARE = {
  setId: '00112233445566778899aabbccddeeff',
  threshold: 3,
  count: 5,
  index: 7,
  value: Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 37 + 11) & 0xff)),
};
const shares = fc
  .record({
    set: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    count: fc.integer({ min: 2, max: 255 }),
    index: fc.integer({ min: 1, max: 255 }),
    value: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  .map(({ set, count, index, value }) => ({
    setId: Buffer.from(set).toString('hex'),
    threshold: 2,
    count,
    index,
    value: Buffer.from(value),
  }));
const TEXT = encodeShareText(SHARE).toString('latin1');
const GROUPS = TEXT.trim().split(/\s+/);
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The numbers of the groups that the refusal of a text names. */
const namedBy = (groups: readonly string[]): string[] =>
  (refusalOf(() => decodeShareText(Buffer.from(groups.join(' '))))?.pointers ?? []).map(({ pointer }) => pointer);

describe('crypto/share-text', () => {
  it('has 22 groups of five characters, six in a line', () => {
    expect(GROUPS).to.have.length(SHARE_TEXT_GROUPS);
    expect(
      TEXT.trimEnd()
        .split('\n')
        .map((line) => line.split(' ').length),
    ).to.deep.equal([6, 6, 6, 4]);
    expect(GROUPS.every((group) => /^[0-9A-HJKMNP-TV-Z]{5}$/.test(group))).to.equal(true);
  });

  it('is what its definition says, worked out again with whole numbers', () => {
    const octets = Buffer.concat([
      Buffer.from([1]),
      Buffer.from(SHARE.setId, 'hex'),
      Buffer.from([SHARE.threshold, SHARE.count, SHARE.index]),
      SHARE.value,
      Buffer.alloc(3),
    ]);
    const bits = [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('');
    const data = (bits.match(/.{5}/g) ?? []).map((five) => ALPHABET[parseInt(five, 2)]);
    expect(GROUPS.map((group) => group.slice(0, 4)).join('')).to.equal(data.join(''));
    // Carry-less product, then the remainder of a division by x^5 + x^2 + 1.
    const times = (a: number, b: number): number => {
      let long = 0;
      for (let bit = 0; bit < 5; bit += 1) if ((b >> bit) & 1) long ^= a << bit;
      for (let bit = 8; bit >= 5; bit -= 1) if ((long >> bit) & 1) long ^= 0b100101 << (bit - 5);
      return long;
    };
    for (const [at, group] of GROUPS.entries()) {
      const [a = 0, b = 0, c = 0, d = 0, check] = group.split('').map((character) => ALPHABET.indexOf(character));
      expect(times(2, a) ^ times(4, b) ^ times(8, c) ^ times(16, d) ^ times(5, at + 1)).to.equal(check);
    }
  });

  it('every share comes back, however it is spaced and in small letters', () => {
    fc.assert(
      fc.property(shares, (share) => {
        const text = encodeShareText(share).toString('latin1');
        expect(decodeShareText(Buffer.from(text))).to.deep.equal(share);
        const typed = text.toLowerCase().replaceAll('1', 'l').replaceAll('0', 'o').replaceAll(/\s/g, '-');
        expect(decodeShareText(Buffer.from(typed))).to.deep.equal(share);
      }),
    );
  });

  it('every single wrong character is found, and its group named', () => {
    for (const [at, group] of GROUPS.entries()) {
      for (let place = 0; place < 5; place += 1) {
        for (const other of ALPHABET) {
          if (other === group[place]) continue;
          const typed = GROUPS.with(at, group.slice(0, place) + other + group.slice(place + 1));
          expect(namedBy(typed)).to.deep.equal([`/group/${at + 1}`]);
        }
      }
    }
  });

  it('two neighbouring characters changed over are found, and so are two groups', () => {
    for (const [at, group] of GROUPS.entries()) {
      for (let place = 0; place < 4; place += 1) {
        const swapped =
          group.slice(0, place) + (group[place + 1] ?? '') + (group[place] ?? '') + group.slice(place + 2);
        if (swapped !== group) expect(namedBy(GROUPS.with(at, swapped))).to.deep.equal([`/group/${at + 1}`]);
      }
      for (let other = at + 1; other < GROUPS.length; other += 1) {
        const swapped = GROUPS.with(at, GROUPS[other]!).with(other, group);
        if (GROUPS[other] !== group)
          expect(namedBy(swapped)).to.deep.equal([`/group/${at + 1}`, `/group/${other + 1}`]);
      }
    }
  });

  for (const [what, typed] of [
    ['a letter that is not used', TEXT.replace(/^./, 'U')],
    ['a full-width letter', TEXT.replace(/^./, 'Ａ')],
    ['a character too few', TEXT.slice(1)],
    ['a character too many', `${TEXT}A`],
    ['a group left out', GROUPS.slice(1).join(' ')],
    ['nothing', ''],
  ] as const) {
    it(`${what} is refused`, () => {
      expect(refusalOf(() => decodeShareText(Buffer.from(typed)))?.code).to.equal('E_SHARE_BAD');
    });
  }

  it('any other text is refused, and only so', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(refusalOf(() => decodeShareText(Buffer.from(bytes)))?.code).to.equal('E_SHARE_BAD');
      }),
    );
  });
});
