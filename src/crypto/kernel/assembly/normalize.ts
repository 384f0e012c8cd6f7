/** Homogeneous points of the batch to affine ones with one inversion. No branch and no address depends on a value. */
import { BATCH, BATCH_POINT, ELEMENT, slot } from './layout';
import { copy, reduceSigned, select } from './limbs';
import { invert, isZero, ONE, P } from './field';
import { mul } from './field-products';

/**
 * Divides X and Y of the first `count` points by Z, by Montgomery's trick: one inversion and three products a point.
 * Infinity takes part as Z = 1, so that it spoils no other point, and gives (0, 0), which is no point of the curve.
 * Coordinates come out in [0, p). Slots 0 to 8 are overwritten.
 */
export function normalize(count: i32): void {
  const inverse: usize = slot(6);
  const t: usize = slot(7);
  const zero: usize = slot(8);
  memory.fill(zero, 0, ELEMENT);
  copy(inverse, ONE);
  for (let i = 0; i < count; i++) {
    const point: usize = BATCH + <usize>i * BATCH_POINT;
    const z: usize = point + 2 * ELEMENT;
    const infinite: i64 = isZero(z);
    select(point + ELEMENT, point + ELEMENT, zero, infinite);
    select(point, point, zero, infinite);
    select(z, z, ONE, infinite);
    copy(point + 3 * ELEMENT, inverse);
    mul(inverse, inverse, z);
  }
  invert(inverse, inverse);
  for (let i = count - 1; i >= 0; i--) {
    const point: usize = BATCH + <usize>i * BATCH_POINT;
    mul(t, inverse, point + 3 * ELEMENT);
    mul(inverse, inverse, point + 2 * ELEMENT);
    mul(point, point, t);
    mul(point + ELEMENT, point + ELEMENT, t);
    reduceSigned(point, P, slot(0));
    reduceSigned(point + ELEMENT, P, slot(0));
  }
}
