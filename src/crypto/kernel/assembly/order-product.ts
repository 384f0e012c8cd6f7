/** The product modulo the group order n, with Montgomery's reduction. No branch and no address depends on a value. */
import { MASK } from './layout';

const N0: i64 = 0x19d54123;
const N1: i64 = 0x1ddfa049;
const N2: i64 = 0x11814ad4;
const N3: i64 = 0x07bed643;
const N4: i64 = 0x1ffff720;
const N5: i64 = 0x1fffffff;
const N6: i64 = 0x1fffffff;
const N7: i64 = 0x1fdfffff;
const N8: i64 = 0x00ffffff;
/** -1/n modulo 2^29. */
const N_PRIME: i64 = 0x12350975;

/** r = a b / R modulo n. */
export function mulOrder(r: usize, a: usize, b: usize): void {
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
  const m0: i64 = (t * N_PRIME) & MASK;
  t += m0 * N0;
  t >>= 29;
  t += a0 * b1 + a1 * b0;
  t += m0 * N1;
  const m1: i64 = (t * N_PRIME) & MASK;
  t += m1 * N0;
  t >>= 29;
  t += a0 * b2 + a1 * b1 + a2 * b0;
  t += m0 * N2 + m1 * N1;
  const m2: i64 = (t * N_PRIME) & MASK;
  t += m2 * N0;
  t >>= 29;
  t += a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0;
  t += m0 * N3 + m1 * N2 + m2 * N1;
  const m3: i64 = (t * N_PRIME) & MASK;
  t += m3 * N0;
  t >>= 29;
  t += a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0;
  t += m0 * N4 + m1 * N3 + m2 * N2 + m3 * N1;
  const m4: i64 = (t * N_PRIME) & MASK;
  t += m4 * N0;
  t >>= 29;
  t += a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0;
  t += m0 * N5 + m1 * N4 + m2 * N3 + m3 * N2 + m4 * N1;
  const m5: i64 = (t * N_PRIME) & MASK;
  t += m5 * N0;
  t >>= 29;
  t += a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0;
  t += m0 * N6 + m1 * N5 + m2 * N4 + m3 * N3 + m4 * N2 + m5 * N1;
  const m6: i64 = (t * N_PRIME) & MASK;
  t += m6 * N0;
  t >>= 29;
  t += a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0;
  t += m0 * N7 + m1 * N6 + m2 * N5 + m3 * N4 + m4 * N3 + m5 * N2 + m6 * N1;
  const m7: i64 = (t * N_PRIME) & MASK;
  t += m7 * N0;
  t >>= 29;
  t += a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3 + a6 * b2 + a7 * b1 + a8 * b0;
  t += m0 * N8 + m1 * N7 + m2 * N6 + m3 * N5 + m4 * N4 + m5 * N3 + m6 * N2 + m7 * N1;
  const m8: i64 = (t * N_PRIME) & MASK;
  t += m8 * N0;
  t >>= 29;
  t += a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1;
  t += m1 * N8 + m2 * N7 + m3 * N6 + m4 * N5 + m5 * N4 + m6 * N3 + m7 * N2 + m8 * N1;
  store<i64>(r, t & MASK, 0);
  t >>= 29;
  t += a2 * b8 + a3 * b7 + a4 * b6 + a5 * b5 + a6 * b4 + a7 * b3 + a8 * b2;
  t += m2 * N8 + m3 * N7 + m4 * N6 + m5 * N5 + m6 * N4 + m7 * N3 + m8 * N2;
  store<i64>(r, t & MASK, 8);
  t >>= 29;
  t += a3 * b8 + a4 * b7 + a5 * b6 + a6 * b5 + a7 * b4 + a8 * b3;
  t += m3 * N8 + m4 * N7 + m5 * N6 + m6 * N5 + m7 * N4 + m8 * N3;
  store<i64>(r, t & MASK, 16);
  t >>= 29;
  t += a4 * b8 + a5 * b7 + a6 * b6 + a7 * b5 + a8 * b4;
  t += m4 * N8 + m5 * N7 + m6 * N6 + m7 * N5 + m8 * N4;
  store<i64>(r, t & MASK, 24);
  t >>= 29;
  t += a5 * b8 + a6 * b7 + a7 * b6 + a8 * b5;
  t += m5 * N8 + m6 * N7 + m7 * N6 + m8 * N5;
  store<i64>(r, t & MASK, 32);
  t >>= 29;
  t += a6 * b8 + a7 * b7 + a8 * b6;
  t += m6 * N8 + m7 * N7 + m8 * N6;
  store<i64>(r, t & MASK, 40);
  t >>= 29;
  t += a7 * b8 + a8 * b7;
  t += m7 * N8 + m8 * N7;
  store<i64>(r, t & MASK, 48);
  t >>= 29;
  t += a8 * b8;
  t += m8 * N8;
  store<i64>(r, t & MASK, 56);
  t >>= 29;
  store<i64>(r, t, 64);
}
