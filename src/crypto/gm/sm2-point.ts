/** The one form in which SM2 points are accepted: 04 || x || y, on the curve. */
import { KmcError } from '../../errors.ts';
import { SM2_POINT_LENGTH } from './sm2-curve.ts';
import { sm2Arithmetic } from './sm2-implementations.ts';

/** True for 65 octets 04 || x || y with x, y < p and (x, y) on the curve. */
export function isSm2Point(point: Buffer): boolean {
  return point.length === SM2_POINT_LENGTH && point[0] === 4 && sm2Arithmetic().isOnCurve(point);
}

/** Throws `E_POINT` unless {@link isSm2Point}: compressed and hybrid forms and the point at infinity are refused too. */
export function assertSm2Point(point: Buffer): void {
  if (!isSm2Point(point)) {
    throw new KmcError(
      'E_POINT',
      'The SM2 public key is not a point of the curve in uncompressed form (65 octets that start with 04).',
    );
  }
}

/** dG for each d, 65 octets. The scalars are 32 octets in [1, n-1]; see sm2-key.ts for the range of private keys. */
export function sm2BaseMultiples(scalars: readonly Buffer[]): Buffer[] {
  return sm2Arithmetic().multiplyBase(scalars);
}

/** dG, 65 octets, as {@link sm2BaseMultiples}. */
export function sm2MultiplyBase(scalar: Buffer): Buffer {
  const [point] = sm2BaseMultiples([scalar]);
  if (point === undefined) throw new RangeError('There is no multiple of the base point.');
  return point;
}
