/**
 * Numbers of nine 29-bit limbs, whatever their modulus: octets, sums, masks. A mask is all ones for true, 0 for false.
 * No branch and no address depends on a value.
 */
import { ELEMENT, MASK } from './layout';

/** Four 64-bit words, the lowest first, to nine limbs. */
export function fromWords(r: usize, w0: u64, w1: u64, w2: u64, w3: u64): void {
  store<u64>(r, w0 & MASK, 0);
  store<u64>(r, (w0 >> 29) & MASK, 8);
  store<u64>(r, ((w0 >> 58) | (w1 << 6)) & MASK, 16);
  store<u64>(r, (w1 >> 23) & MASK, 24);
  store<u64>(r, ((w1 >> 52) | (w2 << 12)) & MASK, 32);
  store<u64>(r, (w2 >> 17) & MASK, 40);
  store<u64>(r, ((w2 >> 46) | (w3 << 18)) & MASK, 48);
  store<u64>(r, (w3 >> 11) & MASK, 56);
  store<u64>(r, w3 >> 40, 64);
}

/** 32 octets, big-endian, to nine limbs. */
export function fromOctets(r: usize, octets: usize): void {
  fromWords(
    r,
    bswap<u64>(load<u64>(octets, 24)),
    bswap<u64>(load<u64>(octets, 16)),
    bswap<u64>(load<u64>(octets, 8)),
    bswap<u64>(load<u64>(octets, 0)),
  );
}

/** Nine limbs in their range to four 64-bit words, the lowest first. */
export function toWords(words: usize, a: usize): void {
  store<u64>(words, load<u64>(a, 0) | (load<u64>(a, 8) << 29) | (load<u64>(a, 16) << 58), 0);
  store<u64>(words, (load<u64>(a, 16) >> 6) | (load<u64>(a, 24) << 23) | (load<u64>(a, 32) << 52), 8);
  store<u64>(words, (load<u64>(a, 32) >> 12) | (load<u64>(a, 40) << 17) | (load<u64>(a, 48) << 46), 16);
  store<u64>(words, (load<u64>(a, 48) >> 18) | (load<u64>(a, 56) << 11) | (load<u64>(a, 64) << 40), 24);
}

/** Nine limbs in their range to 32 octets, big-endian. */
export function toOctets(octets: usize, a: usize): void {
  const w3: u64 = load<u64>(a, 0) | (load<u64>(a, 8) << 29) | (load<u64>(a, 16) << 58);
  const w2: u64 = (load<u64>(a, 16) >> 6) | (load<u64>(a, 24) << 23) | (load<u64>(a, 32) << 52);
  const w1: u64 = (load<u64>(a, 32) >> 12) | (load<u64>(a, 40) << 17) | (load<u64>(a, 48) << 46);
  const w0: u64 = (load<u64>(a, 48) >> 18) | (load<u64>(a, 56) << 11) | (load<u64>(a, 64) << 40);
  store<u64>(octets, bswap<u64>(w0), 0);
  store<u64>(octets, bswap<u64>(w1), 8);
  store<u64>(octets, bswap<u64>(w2), 16);
  store<u64>(octets, bswap<u64>(w3), 24);
}

export function copy(r: usize, a: usize): void {
  memory.copy(r, a, ELEMENT);
}

/** r = a + b without carrying. */
export function addLoose(r: usize, a: usize, b: usize): void {
  store<i64>(r, load<i64>(a, 0) + load<i64>(b, 0), 0);
  store<i64>(r, load<i64>(a, 8) + load<i64>(b, 8), 8);
  store<i64>(r, load<i64>(a, 16) + load<i64>(b, 16), 16);
  store<i64>(r, load<i64>(a, 24) + load<i64>(b, 24), 24);
  store<i64>(r, load<i64>(a, 32) + load<i64>(b, 32), 32);
  store<i64>(r, load<i64>(a, 40) + load<i64>(b, 40), 40);
  store<i64>(r, load<i64>(a, 48) + load<i64>(b, 48), 48);
  store<i64>(r, load<i64>(a, 56) + load<i64>(b, 56), 56);
  store<i64>(r, load<i64>(a, 64) + load<i64>(b, 64), 64);
}

/** r = a - b without carrying. */
export function subLoose(r: usize, a: usize, b: usize): void {
  store<i64>(r, load<i64>(a, 0) - load<i64>(b, 0), 0);
  store<i64>(r, load<i64>(a, 8) - load<i64>(b, 8), 8);
  store<i64>(r, load<i64>(a, 16) - load<i64>(b, 16), 16);
  store<i64>(r, load<i64>(a, 24) - load<i64>(b, 24), 24);
  store<i64>(r, load<i64>(a, 32) - load<i64>(b, 32), 32);
  store<i64>(r, load<i64>(a, 40) - load<i64>(b, 40), 40);
  store<i64>(r, load<i64>(a, 48) - load<i64>(b, 48), 48);
  store<i64>(r, load<i64>(a, 56) - load<i64>(b, 56), 56);
  store<i64>(r, load<i64>(a, 64) - load<i64>(b, 64), 64);
}

/** r = a + 2 b without carrying. */
export function addTwice(r: usize, a: usize, b: usize): void {
  store<i64>(r, load<i64>(a, 0) + (load<i64>(b, 0) << 1), 0);
  store<i64>(r, load<i64>(a, 8) + (load<i64>(b, 8) << 1), 8);
  store<i64>(r, load<i64>(a, 16) + (load<i64>(b, 16) << 1), 16);
  store<i64>(r, load<i64>(a, 24) + (load<i64>(b, 24) << 1), 24);
  store<i64>(r, load<i64>(a, 32) + (load<i64>(b, 32) << 1), 32);
  store<i64>(r, load<i64>(a, 40) + (load<i64>(b, 40) << 1), 40);
  store<i64>(r, load<i64>(a, 48) + (load<i64>(b, 48) << 1), 48);
  store<i64>(r, load<i64>(a, 56) + (load<i64>(b, 56) << 1), 56);
  store<i64>(r, load<i64>(a, 64) + (load<i64>(b, 64) << 1), 64);
}

/** r = 2 a without carrying. */
export function doubleLoose(r: usize, a: usize): void {
  store<i64>(r, load<i64>(a, 0) << 1, 0);
  store<i64>(r, load<i64>(a, 8) << 1, 8);
  store<i64>(r, load<i64>(a, 16) << 1, 16);
  store<i64>(r, load<i64>(a, 24) << 1, 24);
  store<i64>(r, load<i64>(a, 32) << 1, 32);
  store<i64>(r, load<i64>(a, 40) << 1, 40);
  store<i64>(r, load<i64>(a, 48) << 1, 48);
  store<i64>(r, load<i64>(a, 56) << 1, 56);
  store<i64>(r, load<i64>(a, 64) << 1, 64);
}

/** r = factor a, carried. */
export function multiple(r: usize, a: usize, factor: i64): void {
  let t: i64 = 0;
  t += load<i64>(a, 0) * factor;
  store<i64>(r, t & MASK, 0);
  t >>= 29;
  t += load<i64>(a, 8) * factor;
  store<i64>(r, t & MASK, 8);
  t >>= 29;
  t += load<i64>(a, 16) * factor;
  store<i64>(r, t & MASK, 16);
  t >>= 29;
  t += load<i64>(a, 24) * factor;
  store<i64>(r, t & MASK, 24);
  t >>= 29;
  t += load<i64>(a, 32) * factor;
  store<i64>(r, t & MASK, 32);
  t >>= 29;
  t += load<i64>(a, 40) * factor;
  store<i64>(r, t & MASK, 40);
  t >>= 29;
  t += load<i64>(a, 48) * factor;
  store<i64>(r, t & MASK, 48);
  t >>= 29;
  t += load<i64>(a, 56) * factor;
  store<i64>(r, t & MASK, 56);
  t >>= 29;
  store<i64>(r, t + load<i64>(a, 64) * factor, 64);
}

/** Carries: limbs 0 to 7 come into [0, 2^29), limb 8 takes the rest with its sign. */
export function carry(r: usize): void {
  let t: i64 = 0;
  for (let i: usize = 0; i < 64; i += 8) {
    t += load<i64>(r + i);
    store<i64>(r + i, t & MASK);
    t >>= 29;
  }
  store<i64>(r, t + load<i64>(r, 64), 64);
}

/** r = a + b, carried. */
export function add(r: usize, a: usize, b: usize): void {
  addLoose(r, a, b);
  carry(r);
}

/** r = a - b, carried. */
export function sub(r: usize, a: usize, b: usize): void {
  subLoose(r, a, b);
  carry(r);
}

/** r = a where the mask is 0, b where it is all ones. */
export function select(r: usize, a: usize, b: usize, mask: i64): void {
  for (let i: usize = 0; i < 72; i += 8) {
    const x: i64 = load<i64>(a + i);
    store<i64>(r + i, x ^ ((x ^ load<i64>(b + i)) & mask));
  }
}

/** Changes the sign of every limb where the mask is all ones. */
export function negateIf(r: usize, mask: i64): void {
  for (let i: usize = 0; i < 72; i += 8) store<i64>(r + i, (load<i64>(r + i) ^ mask) - mask);
}

/** The mask of a < b for carried numbers; `difference` becomes a - b. */
export function lessMask(difference: usize, a: usize, b: usize): i64 {
  sub(difference, a, b);
  return load<i64>(difference, 64) >> 63;
}

/** The mask of "all limbs are 0". */
export function zeroMask(a: usize): i64 {
  let union: i64 = 0;
  for (let i: usize = 0; i < 72; i += 8) union |= load<i64>(a + i);
  return ~((union | -union) >> 63);
}

/** Brings r from [0, 2 m) into [0, m). `spare` is overwritten. */
export function reduceOnce(r: usize, m: usize, spare: usize): void {
  const less: i64 = lessMask(spare, r, m);
  select(r, spare, r, less);
}

/** Brings r from (-m, 2 m) into [0, m). `spare` is overwritten. */
export function reduceSigned(r: usize, m: usize, spare: usize): void {
  const negative: i64 = load<i64>(r, 64) >> 63;
  add(spare, r, m);
  select(r, r, spare, negative);
  reduceOnce(r, m, spare);
}
