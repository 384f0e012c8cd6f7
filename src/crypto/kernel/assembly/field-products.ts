/**
 * Products modulo p = 2^256 - 2^224 - 2^96 + 2^64 - 1, with Montgomery's reduction column by column: since p = -1 modulo
 * 2^29, the factor m of each column is the column itself, and m p is four shifts. The README has the bounds of operands.
 * A result may take the place of an operand. No branch and no address depends on a value.
 */
import { MASK } from './layout';

/** r = a b / R. */
export function mul(r: usize, a: usize, b: usize): void {
  const a0: i64 = load<i64>(a, 0),
    a1: i64 = load<i64>(a, 8),
    a2: i64 = load<i64>(a, 16);
  const a3: i64 = load<i64>(a, 24),
    a4: i64 = load<i64>(a, 32),
    a5: i64 = load<i64>(a, 40);
  const a6: i64 = load<i64>(a, 48),
    a7: i64 = load<i64>(a, 56),
    a8: i64 = load<i64>(a, 64);
  const b0: i64 = load<i64>(b, 0),
    b1: i64 = load<i64>(b, 8),
    b2: i64 = load<i64>(b, 16);
  const b3: i64 = load<i64>(b, 24),
    b4: i64 = load<i64>(b, 32),
    b5: i64 = load<i64>(b, 40);
  const b6: i64 = load<i64>(b, 48),
    b7: i64 = load<i64>(b, 56),
    b8: i64 = load<i64>(b, 64);
  let t: i64;
  t = a0 * b0;
  const m0: i64 = t & MASK;
  t >>= 29;
  t += a0 * b1 + a1 * b0;
  const m1: i64 = t & MASK;
  t >>= 29;
  t += a0 * b2 + a1 * b1 + a2 * b0 + (m0 << 6);
  const m2: i64 = t & MASK;
  t >>= 29;
  t += a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + (m1 << 6) - (m0 << 9);
  const m3: i64 = t & MASK;
  t >>= 29;
  t += a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 + (m2 << 6) - (m1 << 9);
  const m4: i64 = t & MASK;
  t >>= 29;
  t += a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0 + (m3 << 6) - (m2 << 9);
  const m5: i64 = t & MASK;
  t >>= 29;
  t += a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0 + (m4 << 6) - (m3 << 9);
  const m6: i64 = t & MASK;
  t >>= 29;
  t +=
    a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0 + (m5 << 6) - (m4 << 9) - (m0 << 21);
  const m7: i64 = t & MASK;
  t >>= 29;
  t +=
    a0 * b8 +
    a1 * b7 +
    a2 * b6 +
    a3 * b5 +
    a4 * b4 +
    a5 * b3 +
    a6 * b2 +
    a7 * b1 +
    a8 * b0 +
    (m6 << 6) -
    (m5 << 9) -
    (m1 << 21) +
    (m0 << 24);
  const m8: i64 = t & MASK;
  t >>= 29;
  t +=
    a1 * b8 +
    a2 * b7 +
    a3 * b6 +
    a4 * b5 +
    a5 * b4 +
    a6 * b3 +
    a7 * b2 +
    a8 * b1 +
    (m7 << 6) -
    (m6 << 9) -
    (m2 << 21) +
    (m1 << 24);
  store<i64>(r, t & MASK, 0);
  t >>= 29;
  t +=
    a2 * b8 +
    a3 * b7 +
    a4 * b6 +
    a5 * b5 +
    a6 * b4 +
    a7 * b3 +
    a8 * b2 +
    (m8 << 6) -
    (m7 << 9) -
    (m3 << 21) +
    (m2 << 24);
  store<i64>(r, t & MASK, 8);
  t >>= 29;
  t += a3 * b8 + a4 * b7 + a5 * b6 + a6 * b5 + a7 * b4 + a8 * b3 - (m8 << 9) - (m4 << 21) + (m3 << 24);
  store<i64>(r, t & MASK, 16);
  t >>= 29;
  t += a4 * b8 + a5 * b7 + a6 * b6 + a7 * b5 + a8 * b4 - (m5 << 21) + (m4 << 24);
  store<i64>(r, t & MASK, 24);
  t >>= 29;
  t += a5 * b8 + a6 * b7 + a7 * b6 + a8 * b5 - (m6 << 21) + (m5 << 24);
  store<i64>(r, t & MASK, 32);
  t >>= 29;
  t += a6 * b8 + a7 * b7 + a8 * b6 - (m7 << 21) + (m6 << 24);
  store<i64>(r, t & MASK, 40);
  t >>= 29;
  t += a7 * b8 + a8 * b7 - (m8 << 21) + (m7 << 24);
  store<i64>(r, t & MASK, 48);
  t >>= 29;
  t += a8 * b8 + (m8 << 24);
  store<i64>(r, t & MASK, 56);
  t >>= 29;
  store<i64>(r, t, 64);
}

/** r = a b / R - c, where c need not be carried. */
export function mulLess(r: usize, a: usize, b: usize, c: usize): void {
  const a0: i64 = load<i64>(a, 0),
    a1: i64 = load<i64>(a, 8),
    a2: i64 = load<i64>(a, 16);
  const a3: i64 = load<i64>(a, 24),
    a4: i64 = load<i64>(a, 32),
    a5: i64 = load<i64>(a, 40);
  const a6: i64 = load<i64>(a, 48),
    a7: i64 = load<i64>(a, 56),
    a8: i64 = load<i64>(a, 64);
  const b0: i64 = load<i64>(b, 0),
    b1: i64 = load<i64>(b, 8),
    b2: i64 = load<i64>(b, 16);
  const b3: i64 = load<i64>(b, 24),
    b4: i64 = load<i64>(b, 32),
    b5: i64 = load<i64>(b, 40);
  const b6: i64 = load<i64>(b, 48),
    b7: i64 = load<i64>(b, 56),
    b8: i64 = load<i64>(b, 64);
  let t: i64;
  t = a0 * b0;
  const m0: i64 = t & MASK;
  t >>= 29;
  t += a0 * b1 + a1 * b0;
  const m1: i64 = t & MASK;
  t >>= 29;
  t += a0 * b2 + a1 * b1 + a2 * b0 + (m0 << 6);
  const m2: i64 = t & MASK;
  t >>= 29;
  t += a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + (m1 << 6) - (m0 << 9);
  const m3: i64 = t & MASK;
  t >>= 29;
  t += a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 + (m2 << 6) - (m1 << 9);
  const m4: i64 = t & MASK;
  t >>= 29;
  t += a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0 + (m3 << 6) - (m2 << 9);
  const m5: i64 = t & MASK;
  t >>= 29;
  t += a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0 + (m4 << 6) - (m3 << 9);
  const m6: i64 = t & MASK;
  t >>= 29;
  t +=
    a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0 + (m5 << 6) - (m4 << 9) - (m0 << 21);
  const m7: i64 = t & MASK;
  t >>= 29;
  t +=
    a0 * b8 +
    a1 * b7 +
    a2 * b6 +
    a3 * b5 +
    a4 * b4 +
    a5 * b3 +
    a6 * b2 +
    a7 * b1 +
    a8 * b0 +
    (m6 << 6) -
    (m5 << 9) -
    (m1 << 21) +
    (m0 << 24);
  const m8: i64 = t & MASK;
  t >>= 29;
  t +=
    a1 * b8 +
    a2 * b7 +
    a3 * b6 +
    a4 * b5 +
    a5 * b4 +
    a6 * b3 +
    a7 * b2 +
    a8 * b1 +
    (m7 << 6) -
    (m6 << 9) -
    (m2 << 21) +
    (m1 << 24) -
    load<i64>(c, 0);
  store<i64>(r, t & MASK, 0);
  t >>= 29;
  t +=
    a2 * b8 +
    a3 * b7 +
    a4 * b6 +
    a5 * b5 +
    a6 * b4 +
    a7 * b3 +
    a8 * b2 +
    (m8 << 6) -
    (m7 << 9) -
    (m3 << 21) +
    (m2 << 24) -
    load<i64>(c, 8);
  store<i64>(r, t & MASK, 8);
  t >>= 29;
  t +=
    a3 * b8 + a4 * b7 + a5 * b6 + a6 * b5 + a7 * b4 + a8 * b3 - (m8 << 9) - (m4 << 21) + (m3 << 24) - load<i64>(c, 16);
  store<i64>(r, t & MASK, 16);
  t >>= 29;
  t += a4 * b8 + a5 * b7 + a6 * b6 + a7 * b5 + a8 * b4 - (m5 << 21) + (m4 << 24) - load<i64>(c, 24);
  store<i64>(r, t & MASK, 24);
  t >>= 29;
  t += a5 * b8 + a6 * b7 + a7 * b6 + a8 * b5 - (m6 << 21) + (m5 << 24) - load<i64>(c, 32);
  store<i64>(r, t & MASK, 32);
  t >>= 29;
  t += a6 * b8 + a7 * b7 + a8 * b6 - (m7 << 21) + (m6 << 24) - load<i64>(c, 40);
  store<i64>(r, t & MASK, 40);
  t >>= 29;
  t += a7 * b8 + a8 * b7 - (m8 << 21) + (m7 << 24) - load<i64>(c, 48);
  store<i64>(r, t & MASK, 48);
  t >>= 29;
  t += a8 * b8 + (m8 << 24) - load<i64>(c, 56);
  store<i64>(r, t & MASK, 56);
  t >>= 29;
  store<i64>(r, t - load<i64>(c, 64), 64);
}

/** r = a^2 / R. */
export function sqr(r: usize, a: usize): void {
  const a0: i64 = load<i64>(a, 0),
    a1: i64 = load<i64>(a, 8),
    a2: i64 = load<i64>(a, 16);
  const a3: i64 = load<i64>(a, 24),
    a4: i64 = load<i64>(a, 32),
    a5: i64 = load<i64>(a, 40);
  const a6: i64 = load<i64>(a, 48),
    a7: i64 = load<i64>(a, 56),
    a8: i64 = load<i64>(a, 64);
  const d1: i64 = a1 + a1,
    d2: i64 = a2 + a2,
    d3: i64 = a3 + a3,
    d4: i64 = a4 + a4;
  const d5: i64 = a5 + a5,
    d6: i64 = a6 + a6,
    d7: i64 = a7 + a7,
    d8: i64 = a8 + a8;
  let t: i64;
  t = a0 * a0;
  const m0: i64 = t & MASK;
  t >>= 29;
  t += a0 * d1;
  const m1: i64 = t & MASK;
  t >>= 29;
  t += a0 * d2 + a1 * a1 + (m0 << 6);
  const m2: i64 = t & MASK;
  t >>= 29;
  t += a0 * d3 + a1 * d2 + (m1 << 6) - (m0 << 9);
  const m3: i64 = t & MASK;
  t >>= 29;
  t += a0 * d4 + a1 * d3 + a2 * a2 + (m2 << 6) - (m1 << 9);
  const m4: i64 = t & MASK;
  t >>= 29;
  t += a0 * d5 + a1 * d4 + a2 * d3 + (m3 << 6) - (m2 << 9);
  const m5: i64 = t & MASK;
  t >>= 29;
  t += a0 * d6 + a1 * d5 + a2 * d4 + a3 * a3 + (m4 << 6) - (m3 << 9);
  const m6: i64 = t & MASK;
  t >>= 29;
  t += a0 * d7 + a1 * d6 + a2 * d5 + a3 * d4 + (m5 << 6) - (m4 << 9) - (m0 << 21);
  const m7: i64 = t & MASK;
  t >>= 29;
  t += a0 * d8 + a1 * d7 + a2 * d6 + a3 * d5 + a4 * a4 + (m6 << 6) - (m5 << 9) - (m1 << 21) + (m0 << 24);
  const m8: i64 = t & MASK;
  t >>= 29;
  t += a1 * d8 + a2 * d7 + a3 * d6 + a4 * d5 + (m7 << 6) - (m6 << 9) - (m2 << 21) + (m1 << 24);
  store<i64>(r, t & MASK, 0);
  t >>= 29;
  t += a2 * d8 + a3 * d7 + a4 * d6 + a5 * a5 + (m8 << 6) - (m7 << 9) - (m3 << 21) + (m2 << 24);
  store<i64>(r, t & MASK, 8);
  t >>= 29;
  t += a3 * d8 + a4 * d7 + a5 * d6 - (m8 << 9) - (m4 << 21) + (m3 << 24);
  store<i64>(r, t & MASK, 16);
  t >>= 29;
  t += a4 * d8 + a5 * d7 + a6 * a6 - (m5 << 21) + (m4 << 24);
  store<i64>(r, t & MASK, 24);
  t >>= 29;
  t += a5 * d8 + a6 * d7 - (m6 << 21) + (m5 << 24);
  store<i64>(r, t & MASK, 32);
  t >>= 29;
  t += a6 * d8 + a7 * a7 - (m7 << 21) + (m6 << 24);
  store<i64>(r, t & MASK, 40);
  t >>= 29;
  t += a7 * d8 - (m8 << 21) + (m7 << 24);
  store<i64>(r, t & MASK, 48);
  t >>= 29;
  t += a8 * a8 + (m8 << 24);
  store<i64>(r, t & MASK, 56);
  t >>= 29;
  store<i64>(r, t, 64);
}

/** r = a^2 / R - c, where c need not be carried. */
export function sqrLess(r: usize, a: usize, c: usize): void {
  const a0: i64 = load<i64>(a, 0),
    a1: i64 = load<i64>(a, 8),
    a2: i64 = load<i64>(a, 16);
  const a3: i64 = load<i64>(a, 24),
    a4: i64 = load<i64>(a, 32),
    a5: i64 = load<i64>(a, 40);
  const a6: i64 = load<i64>(a, 48),
    a7: i64 = load<i64>(a, 56),
    a8: i64 = load<i64>(a, 64);
  const d1: i64 = a1 + a1,
    d2: i64 = a2 + a2,
    d3: i64 = a3 + a3,
    d4: i64 = a4 + a4;
  const d5: i64 = a5 + a5,
    d6: i64 = a6 + a6,
    d7: i64 = a7 + a7,
    d8: i64 = a8 + a8;
  let t: i64;
  t = a0 * a0;
  const m0: i64 = t & MASK;
  t >>= 29;
  t += a0 * d1;
  const m1: i64 = t & MASK;
  t >>= 29;
  t += a0 * d2 + a1 * a1 + (m0 << 6);
  const m2: i64 = t & MASK;
  t >>= 29;
  t += a0 * d3 + a1 * d2 + (m1 << 6) - (m0 << 9);
  const m3: i64 = t & MASK;
  t >>= 29;
  t += a0 * d4 + a1 * d3 + a2 * a2 + (m2 << 6) - (m1 << 9);
  const m4: i64 = t & MASK;
  t >>= 29;
  t += a0 * d5 + a1 * d4 + a2 * d3 + (m3 << 6) - (m2 << 9);
  const m5: i64 = t & MASK;
  t >>= 29;
  t += a0 * d6 + a1 * d5 + a2 * d4 + a3 * a3 + (m4 << 6) - (m3 << 9);
  const m6: i64 = t & MASK;
  t >>= 29;
  t += a0 * d7 + a1 * d6 + a2 * d5 + a3 * d4 + (m5 << 6) - (m4 << 9) - (m0 << 21);
  const m7: i64 = t & MASK;
  t >>= 29;
  t += a0 * d8 + a1 * d7 + a2 * d6 + a3 * d5 + a4 * a4 + (m6 << 6) - (m5 << 9) - (m1 << 21) + (m0 << 24);
  const m8: i64 = t & MASK;
  t >>= 29;
  t += a1 * d8 + a2 * d7 + a3 * d6 + a4 * d5 + (m7 << 6) - (m6 << 9) - (m2 << 21) + (m1 << 24) - load<i64>(c, 0);
  store<i64>(r, t & MASK, 0);
  t >>= 29;
  t += a2 * d8 + a3 * d7 + a4 * d6 + a5 * a5 + (m8 << 6) - (m7 << 9) - (m3 << 21) + (m2 << 24) - load<i64>(c, 8);
  store<i64>(r, t & MASK, 8);
  t >>= 29;
  t += a3 * d8 + a4 * d7 + a5 * d6 - (m8 << 9) - (m4 << 21) + (m3 << 24) - load<i64>(c, 16);
  store<i64>(r, t & MASK, 16);
  t >>= 29;
  t += a4 * d8 + a5 * d7 + a6 * a6 - (m5 << 21) + (m4 << 24) - load<i64>(c, 24);
  store<i64>(r, t & MASK, 24);
  t >>= 29;
  t += a5 * d8 + a6 * d7 - (m6 << 21) + (m5 << 24) - load<i64>(c, 32);
  store<i64>(r, t & MASK, 32);
  t >>= 29;
  t += a6 * d8 + a7 * a7 - (m7 << 21) + (m6 << 24) - load<i64>(c, 40);
  store<i64>(r, t & MASK, 40);
  t >>= 29;
  t += a7 * d8 - (m8 << 21) + (m7 << 24) - load<i64>(c, 48);
  store<i64>(r, t & MASK, 48);
  t >>= 29;
  t += a8 * a8 + (m8 << 24) - load<i64>(c, 56);
  store<i64>(r, t & MASK, 56);
  t >>= 29;
  store<i64>(r, t - load<i64>(c, 64), 64);
}
