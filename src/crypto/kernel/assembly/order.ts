/**
 * Numbers modulo the group order n, as nine limbs; in [0, n) unless it is said that they are times R (Montgomery's form).
 * No branch and no address depends on a value.
 */
import { slot } from './layout';
import { add, addLoose, copy, fromOctets, lessMask, negateIf, reduceOnce, select, sub, zeroMask } from './limbs';
import { mulOrder } from './order-product';

export const N: usize = memory.data<i64>(
  [0x19d54123, 0x1ddfa049, 0x11814ad4, 0x07bed643, 0x1ffff720, 0x1fffffff, 0x1fffffff, 0x1fdfffff, 0x00ffffff],
  16,
);
/** R^2 modulo n. */
const RR: usize = memory.data<i64>(
  [0x159b7552, 0x15c38c55, 0x0b5ce697, 0x1164d74c, 0x151153b6, 0x1875ffc1, 0x1620fc84, 0x00559e9d, 0x00d7904b],
  16,
);
const ONE: usize = memory.data<i64>([1, 0, 0, 0, 0, 0, 0, 0, 0], 16);
/** The lower half of n - 2 by digits of four bits, the highest first; the upper half is fffffffe ffffffff ffffffff ffffffff. */
const LOWER_EXPONENT: usize = memory.data<u8>([
  0x7, 0x2, 0x0, 0x3, 0xd, 0xf, 0x6, 0xb, 0x2, 0x1, 0xc, 0x6, 0x0, 0x5, 0x2, 0xb, 0x5, 0x3, 0xb, 0xb, 0xf, 0x4, 0x0,
  0x9, 0x3, 0x9, 0xd, 0x5, 0x4, 0x1, 0x2, 0x1,
]);

/** A number below 2^256 from 32 octets, big-endian, reduced. Slot 0 is overwritten. */
export function readReduced(r: usize, octets: usize): void {
  fromOctets(r, octets);
  reduceOnce(r, N, slot(0));
}

/** A number from 32 octets; the mask says whether it was in [1, n-1]. Slot 0 is overwritten. */
export function readScalar(r: usize, octets: usize): i64 {
  fromOctets(r, octets);
  return lessMask(slot(0), r, N) & ~zeroMask(r);
}

/** r = a + b. Slot 0 is overwritten. */
export function addOrder(r: usize, a: usize, b: usize): void {
  add(r, a, b);
  reduceOnce(r, N, slot(0));
}

/** r = a - b. Slot 0 is overwritten. */
export function subOrder(r: usize, a: usize, b: usize): void {
  sub(r, a, b);
  add(slot(0), r, N);
  select(r, r, slot(0), load<i64>(r, 64) >> 63);
}

/** r = a b. Slot 0 is overwritten. */
export function mulPlain(r: usize, a: usize, b: usize): void {
  mulOrder(slot(0), a, RR);
  mulOrder(r, slot(0), b);
  reduceOnce(r, N, slot(0));
}

/** r = a R, for factors that are used again. */
export function toMontgomery(r: usize, a: usize): void {
  mulOrder(r, a, RR);
}

/** r = a / R in [0, n). Slot 0 is overwritten. */
export function fromMontgomery(r: usize, a: usize): void {
  mulOrder(r, a, ONE);
  reduceOnce(r, N, slot(0));
}

/**
 * The odd one of k and n - k, without its lowest bit: what digits with signs are cut from. The mask says that it is n - k.
 * k is in [0, n); r is not k.
 */
export function oddHalf(r: usize, k: usize): i64 {
  const even: i64 = (load<i64>(k) & 1) - 1;
  copy(r, k);
  negateIf(r, even);
  for (let i: usize = 0; i < 72; i += 8) store<i64>(slot(0) + i, load<i64>(N + i) & even);
  addLoose(r, r, slot(0));
  let t: i64 = 0;
  for (let i: usize = 0; i < 72; i += 8) {
    t += load<i64>(r + i);
    store<i64>(r + i, t & 0x1fffffff);
    t >>= 29;
  }
  for (let i: usize = 0; i < 64; i += 8) {
    store<i64>(r + i, (load<i64>(r + i) >> 1) | ((load<i64>(r + i, 8) & 1) << 28));
  }
  store<i64>(r, load<i64>(r, 64) >> 1, 64);
  return even;
}

/**
 * r = R/a for a R (both in Montgomery's form) by a fixed chain for a^(n-2) with 4-bit digits of the public exponent.
 * 0 gives 0. Slots 1 to 18 are overwritten.
 */
export function invertOrder(r: usize, a: usize): void {
  const powers: usize = slot(2); // of a, from 1 to 15 at slots 3 to 17
  const t: usize = slot(18);
  copy(slot(3), a);
  for (let i: usize = 2; i < 16; i++) mulOrder(powers + i * 72, powers + (i - 1) * 72, slot(3));
  copy(t, slot(17)); // f
  for (let i = 1; i < 7; i++) power16(t, slot(17));
  power16(t, slot(16)); // fffffffe
  for (let i = 8; i < 32; i++) power16(t, slot(17));
  for (let i: usize = 0; i < 32; i++) {
    const digit: usize = load<u8>(LOWER_EXPONENT + i);
    if (digit == 0) sqrOrder(t, 4);
    else power16(t, powers + digit * 72);
  }
  copy(r, t);
}

function sqrOrder(r: usize, times: i32): void {
  for (let i = 0; i < times; i++) mulOrder(r, r, r);
}

function power16(r: usize, factor: usize): void {
  sqrOrder(r, 4);
  mulOrder(r, r, factor);
}
