/**
 * The field modulo p. An element is nine limbs times R = 2^261 (Montgomery's form). No branch and no address depends on a
 * value.
 */
import { slot } from './layout';
import { copy, fromOctets, lessMask, reduceOnce, toOctets, zeroMask } from './limbs';
import { mul, sqr } from './field-products';

export const P: usize = memory.data<i64>(
  [0x1fffffff, 0x1fffffff, 0x0000003f, 0x1ffffe00, 0x1fffffff, 0x1fffffff, 0x1fffffff, 0x1fdfffff, 0x00ffffff],
  16,
);
/** R^2 modulo p. */
const RR: usize = memory.data<i64>(
  [0x00000c00, 0x00004000, 0x1fff0000, 0x0017ffff, 0x00400000, 0x02000000, 0x00000000, 0x00000001, 0x00000010],
  16,
);
/** The number 1, not in Montgomery's form. */
const PLAIN_ONE: usize = memory.data<i64>([1, 0, 0, 0, 0, 0, 0, 0, 0], 16);
/** 1, the curve's b, and the base point. */
export const ONE: usize = memory.data<i64>(
  [0x00000020, 0x00000000, 0x1ffff800, 0x00003fff, 0x00000000, 0x00000000, 0x00000000, 0x04000000, 0x00000000],
  16,
);
export const CURVE_B: usize = memory.data<i64>(
  [0x181ba844, 0x1230632b, 0x09bd5b86, 0x0de6c26d, 0x1878e39e, 0x1505ea51, 0x04293cc0, 0x0368838b, 0x0081fc31],
  16,
);
export const BASE_X: usize = memory.data<i64>(
  [0x030053d2, 0x128990f4, 0x16027e89, 0x007b9b29, 0x07867cf3, 0x199ac24c, 0x02eb50f6, 0x1dc704ec, 0x0022cf4b],
  16,
);
export const BASE_Y: usize = memory.data<i64>(
  [0x05a1bbac, 0x154e593c, 0x14afd309, 0x195e3b4c, 0x11f183eb, 0x1066e2a4, 0x1ec6a67d, 0x13875cd6, 0x0079acba],
  16,
);

/** The number that an element stands for, in [0, p), as limbs. r is not a; slot 0 is overwritten. */
export function toNumber(r: usize, a: usize): void {
  mul(r, a, PLAIN_ONE);
  reduceOnce(r, P, slot(0));
}

/** An element from limbs of a number below 2^256. */
export function fromNumber(r: usize, number: usize): void {
  mul(r, number, RR);
}

/** An element from 32 octets, big-endian; the mask says whether they were below p. Slots 0 and 1 are overwritten. */
export function readElement(r: usize, octets: usize): i64 {
  fromOctets(slot(1), octets);
  const below: i64 = lessMask(slot(0), slot(1), P);
  fromNumber(r, slot(1));
  return below;
}

/** An element to 32 octets, big-endian. Slots 0 and 1 are overwritten. */
export function writeElement(octets: usize, a: usize): void {
  toNumber(slot(1), a);
  toOctets(octets, slot(1));
}

/** The mask of "a is 0 modulo p". Slots 0 and 1 are overwritten. */
export function isZero(a: usize): i64 {
  toNumber(slot(1), a);
  return zeroMask(slot(1));
}

function sqrTimes(r: usize, a: usize, times: i32): void {
  sqr(r, a);
  for (let i = 1; i < times; i++) sqr(r, r);
}

/** r = a^(2^times) b. */
function sqrMul(r: usize, a: usize, times: i32, b: usize): void {
  sqrTimes(r, a, times);
  mul(r, r, b);
}

/** r = 1/a, and 0 for 0, by the fixed chain for a^(p-2): 256 squarings, 16 products. Slots 0 to 5 are overwritten. */
export function invert(r: usize, a: usize): void {
  const one: usize = slot(0);
  const x2: usize = slot(1);
  const x4: usize = slot(2);
  const t: usize = slot(3);
  const x30: usize = slot(4);
  const x32: usize = slot(5);
  copy(one, a);
  sqrMul(x2, one, 1, one);
  sqrMul(x4, x2, 2, x2);
  sqrMul(x30, x4, 4, x4); // 8 ones
  sqrMul(t, x30, 8, x30); // 16
  sqrMul(t, t, 8, x30); // 24
  sqrMul(t, t, 4, x4); // 28
  sqrMul(x30, t, 2, x2);
  sqrMul(t, x30, 1, one); // 31
  sqrMul(x32, t, 1, one);
  sqrTimes(t, t, 1); // fffffffe
  for (let i = 0; i < 4; i++) sqrMul(t, t, 32, x32);
  sqrTimes(t, t, 32); // 00000000
  sqrMul(t, t, 32, x32);
  sqrMul(t, t, 30, x30);
  sqrMul(r, t, 2, one); // fffffffd
}
