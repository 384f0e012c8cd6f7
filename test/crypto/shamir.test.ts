import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { KmcError } from '../../src/errors.ts';
import type { ShareSetPublic } from '../../src/crypto/engine.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import {
  combineShares,
  decodeShareEnvelope,
  encodeShareEnvelope,
  shareCommitment,
  splitSecret,
  type Share,
} from '../../src/crypto/shamir.ts';
import { refusal } from './refusal.ts';

const HOLDER = randomBytes(32);

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, at) => subsets(items.slice(at + 1), size - 1).map((rest) => [item, ...rest]));
}

/** Pearson's statistic of byte values against the uniform distribution, 255 degrees of freedom. */
function chiSquare(values: readonly number[]): number {
  const counts: number[] = Array.from({ length: 256 }, () => 0);
  for (const value of values) counts[value]! += 1;
  const expected = values.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('Shamir shares', () => {
  let secret: Buffer;
  let shares: Share[];
  let set: ShareSetPublic;

  beforeEach(async () => {
    secret = randomBytes(32);
    ({ shares, set } = await splitSecret(secret, 3, 5));
  });

  it('restore the secret from all ten subsets of three of five, and from four and five of them', async () => {
    for (const size of [3, 4, 5]) {
      for (const subset of subsets(shares, size)) {
        expect((await combineShares(subset, set)).equals(secret)).to.equal(true);
      }
    }
    expect((await combineShares(shares.toReversed(), set)).equals(secret)).to.equal(true);
  });

  it('refuse all ten pairs, single shares and none with E_SHARES_FEW', async () => {
    for (const size of [0, 1, 2]) {
      for (const subset of subsets(shares, size)) await refusal('E_SHARES_FEW', () => combineShares(subset, set));
    }
  });

  it('name the index of a share with any one bit of its value flipped, before anything is combined', async () => {
    const [first, second, third] = shares as [Share, Share, Share];
    for (let bit = 0; bit < 256; bit += 1) {
      const wrong = { ...second, value: flipped(second.value, bit) };
      const error = await refusal('E_SHARE_BAD', () => combineShares([first, wrong, third], set));
      expect(error.message).to.include(`Wrong shares: ${second.index} `);
      expect(error.pointers.map(({ pointer }) => pointer)).to.deep.equal(['/1']);
    }
  });

  it('name every wrong share at once', async () => {
    const wrong = shares.map((share, at) => (at % 2 === 0 ? { ...share, value: randomBytes(32) } : share));
    const error = await refusal('E_SHARE_BAD', () => combineShares(wrong, set));
    expect(error.message).to.include(`Wrong shares: ${shares[0]!.index}, ${shares[2]!.index}, ${shares[4]!.index} `);
  });

  it('refuse a wrong share even when enough right ones are there', async () => {
    const wrong = { ...shares[4]!, value: randomBytes(32) };
    await refusal('E_SHARE_BAD', () => combineShares([...shares.slice(0, 4), wrong], set));
  });

  it('refuse shares that swapped their values or claim another index, threshold or count', async () => {
    const [first, second, third] = shares as [Share, Share, Share];
    const swapped = [{ ...first, value: second.value }, { ...second, value: first.value }, third];
    const error = await refusal('E_SHARE_BAD', () => combineShares(swapped, set));
    expect(error.message).to.include(`${first.index}, ${second.index} `);
    const lies: Partial<Share>[] = [
      { threshold: 2 },
      { count: 6 },
      { index: 0 },
      { index: 256 },
      { value: Buffer.alloc(31) },
    ];
    for (const lie of lies) {
      await refusal('E_SHARE_BAD', () => combineShares([first, second, { ...third, ...lie }], set));
    }
  });

  it('name a share of an old or other set with E_SHARE_SET, also one of the same secret', async () => {
    const old = await splitSecret(secret, 3, 5);
    const error = await refusal('E_SHARE_SET', () => combineShares([shares[0]!, shares[1]!, old.shares[2]!], set));
    expect(error.message).to.include(`Wrong shares: ${old.shares[2]!.index} `);
    const renamed = { ...old.shares[2]!, setId: set.setId };
    await refusal('E_SHARE_BAD', () => combineShares([shares[0]!, shares[1]!, renamed], set));
  });

  it('refuse the same share twice with E_SAME_PERSON, however many others are there', async () => {
    const [first, second, third, fourth] = shares as [Share, Share, Share, Share];
    await refusal('E_SAME_PERSON', () => combineShares([first, second, first], set));
    const error = await refusal('E_SAME_PERSON', () =>
      combineShares([first, second, third, fourth, { ...second }], set),
    );
    expect(error.message).to.include(`Wrong shares: ${second.index} `);
    expect(error.pointers.map(({ pointer }) => pointer)).to.deep.equal(['/4']);
  });

  it('refuse a public list that contradicts itself', async () => {
    const [entry, ...rest] = set.commitments;
    const lists: Partial<ShareSetPublic>[] = [
      { commitments: rest },
      { commitments: [...rest, rest[0]!] },
      { commitments: [...rest, { ...entry!, index: 0 }] },
      { threshold: 1 },
      { threshold: 6 },
      { count: 4 },
      { setId: 'x' },
    ];
    for (const list of lists) await refusal('E_SCHEMA', () => combineShares(shares, { ...set, ...list }));
  });

  it('are 255 at most, with distinct indices that are never 0', async () => {
    const all = await splitSecret(secret, 2, 255);
    expect(new Set(all.shares.map(({ index }) => index)).size).to.equal(255);
    expect(Math.min(...all.shares.map(({ index }) => index))).to.equal(1);
    for (const share of all.shares) expect(share.value.equals(secret)).to.equal(false);
    expect((await combineShares([all.shares[0]!, all.shares[254]!], all.set)).equals(secret)).to.equal(true);
  });

  it('are refused for k = 1, k > n, n > 255, fractions and secrets that are not 32 octets', async () => {
    for (const [k, n] of [
      [1, 5],
      [0, 5],
      [6, 5],
      [2, 256],
      [2.5, 5],
      [2, Number.NaN],
      [1, 1],
    ] as const) {
      await refusal('E_USAGE', () => splitSecret(secret, k, n));
    }
    for (const length of [0, 16, 31, 33]) await refusal('E_USAGE', () => splitSecret(Buffer.alloc(length), 2, 3));
  });

  it('come under a new set id each time and are published as commitments only', async () => {
    const again = await splitSecret(secret, 3, 5);
    expect(again.set.setId)
      .to.match(/^[0-9a-f]{32}$/)
      .and.not.equal(set.setId);
    const published = JSON.stringify(set);
    for (const share of shares) {
      expect(published).to.include(shareCommitment(share));
      expect(published).not.to.include(share.value.toString('hex'));
    }
  });

  it('commit by SM3 over "share", set id, index and value', () => {
    // SM3 of 73 68 61 72 65 || 00..0f || 07 || 32 times aa, computed with `openssl dgst -sm3`.
    const share = { setId: '000102030405060708090a0b0c0d0e0f', index: 7, value: Buffer.alloc(32, 0xaa) };
    expect(shareCommitment(share)).to.equal('1cfb789682f653a228c0b82043c2aced1dcab451e64b4bdd4fc93e9182b57a40');
  });

  it('hold a byte equal to that of the secret at the rate 1/256: the top coefficient may be zero', async () => {
    // A version of the package that forces it to be non-zero would never give equality for k = 2 (rate 0).
    let equal = 0;
    const rounds = 1000;
    for (let round = 0; round < rounds; round += 1) {
      const { shares: pair } = await splitSecret(secret, 2, 2);
      for (const { value } of pair) for (const [at, octet] of value.entries()) equal += octet === secret[at] ? 1 : 0;
    }
    // 64,000 trials: mean 250, standard deviation 15.8.
    expect(equal).to.be.within(250 - 7 * 16, 250 + 7 * 16);
  });

  it('are uniform, one by one and two together, for a fixed secret', async () => {
    const fixed = Buffer.alloc(32);
    const [first, second, sum]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < 800; round += 1) {
      const [one, two] = (await splitSecret(fixed, 3, 3)).shares as [Share, Share, Share];
      first.push(...one.value);
      second.push(...two.value);
      sum.push(...one.value.map((octet, at) => octet ^ two.value[at]!));
    }
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    for (const values of [first, second, sum]) expect(chiSquare(values)).to.be.within(255 - 7 * 23, 255 + 7 * 23);
  });
});

describe('share envelopes', () => {
  let share: Share;
  let envelope: Buffer;

  before(async () => {
    const split = await splitSecret(randomBytes(32), 3, 5);
    share = split.shares[1]!;
    envelope = encodeShareEnvelope(share, HOLDER);
  });

  it('have 92 octets: version, set id, k, n, x, y, holder, checksum', () => {
    expect(envelope).to.have.length(92);
    expect(envelope.subarray(0, 20).toString('hex')).to.equal(
      `01${share.setId}0305${share.index.toString(16).padStart(2, '0')}`,
    );
    expect(envelope.subarray(20, 52).equals(share.value)).to.equal(true);
    expect(envelope.subarray(52, 84).equals(HOLDER)).to.equal(true);
    expect(decodeShareEnvelope(envelope, HOLDER)).to.deep.equal(share);
  });

  it('refuse every flipped bit and every truncation with E_SHARE_BAD', async () => {
    for (let bit = 0; bit < envelope.length * 8; bit += 1) {
      const error = await refusal('E_SHARE_BAD', () => decodeShareEnvelope(flipped(envelope, bit), HOLDER));
      const inIndex = bit >> 3 === 0 || bit >> 3 === 19;
      if (!inIndex) expect(error.message).to.include(`Share ${share.index} `);
    }
    for (let length = 0; length < envelope.length; length += 1) {
      await refusal('E_SHARE_BAD', () => decodeShareEnvelope(envelope.subarray(0, length), HOLDER));
    }
    await refusal('E_SHARE_BAD', () => decodeShareEnvelope(Buffer.concat([envelope, Buffer.alloc(1)]), HOLDER));
  });

  it('refuse another holder and name the share', async () => {
    const error = await refusal('E_SHARE_BAD', () => decodeShareEnvelope(envelope, randomBytes(32)));
    expect(error.message).to.include(`Share ${share.index} belongs to another holder`);
    await refusal('E_SHARE_BAD', () => decodeShareEnvelope(envelope, Buffer.alloc(0)));
  });

  it('are not written for a holder digest of another length or for a share that cannot be', async () => {
    await refusal('E_USAGE', () => encodeShareEnvelope(share, Buffer.alloc(20)));
    const lies: Partial<Share>[] = [{ index: 0 }, { index: 256 }, { threshold: 1 }, { count: 2 }, { setId: 'zz' }];
    for (const lie of lies) await refusal('E_SHARE_BAD', () => encodeShareEnvelope({ ...share, ...lie }, HOLDER));
  });

  it('with numbers that no share can have are refused although their checksum holds', async () => {
    for (const lie of [{ index: 0 }, { threshold: 1 }, { threshold: 6 }]) {
      const forged = encodeShareEnvelope(share, HOLDER);
      if (lie.index !== undefined) forged[19] = lie.index;
      if (lie.threshold !== undefined) forged[17] = lie.threshold;
      sm3(forged.subarray(0, 84)).copy(forged, 84, 0, 8);
      await refusal('E_SHARE_BAD', () => decodeShareEnvelope(forged, HOLDER));
    }
  });

  it('come through unchanged or are refused with a KmcError, whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 85, maxLength: 95 }), (octets) => {
        try {
          const read = decodeShareEnvelope(Buffer.from(octets), HOLDER);
          expect(encodeShareEnvelope(read, HOLDER).equals(Buffer.from(octets))).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
    );
  });
});
