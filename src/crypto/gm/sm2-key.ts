/** SM2 private keys: their range, their making, and the one way in which OpenSSL gets them. */
import { KmcError } from '../../errors.ts';
import { equalConstantTime, fromBigInt, isAllZero } from '../bytes.ts';
import { systemRandom } from '../random.ts';
import type { RandomSource } from '../random.ts';
import { SM2_CURVE, SM2_FIELD_LENGTH } from './sm2-curve.ts';
import { sm2BaseMultiples, sm2MultiplyBase } from './sm2-point.ts';

/** n - 2: the largest private key, for 1 + d must have an inverse modulo n (GB/T 32918.1 6.1). */
export const SM2_LARGEST_SCALAR: Buffer = fromBigInt(SM2_CURVE.n - 2n, SM2_FIELD_LENGTH);

/**
 * Throws `E_KEY` unless `scalar` is 32 octets in [1, n-2]. Stands before every import: OpenSSL checks no range, and with
 * d = n-1 its signing never returns.
 */
export function assertSm2Scalar(scalar: Buffer): void {
  if (scalar.length !== SM2_FIELD_LENGTH || isAllZero(scalar) || scalar.compare(SM2_LARGEST_SCALAR) > 0) {
    throw new KmcError('E_KEY', 'The SM2 private key is outside the range 1 to n-2; make or fetch another key.');
  }
}

/** The public point dG, 65 octets. Throws `E_KEY` when the scalar is out of range. */
export function sm2PublicPoint(scalar: Buffer): Buffer {
  assertSm2Scalar(scalar);
  return sm2MultiplyBase(scalar);
}

/** Throws `E_KEY` unless dG equals `point` (65 octets). */
export function assertSm2KeyPair(scalar: Buffer, point: Buffer): void {
  if (!equalConstantTime(sm2PublicPoint(scalar), point)) {
    throw new KmcError('E_KEY', 'The SM2 private key does not belong to its public key.');
  }
}

/** A new private key d and its public point. The caller wipes `scalar`. Throws `E_SELF_TEST` for a stuck generator. */
export function generateSm2Key(random: RandomSource = systemRandom): { scalar: Buffer; point: Buffer } {
  const scalar = random.scalar(SM2_LARGEST_SCALAR);
  return { scalar, point: sm2MultiplyBase(scalar) };
}

/**
 * `count` new private keys with their public points, which share their costly step. The caller wipes the scalars.
 * Throws `E_SELF_TEST` for a stuck generator.
 */
export function generateSm2Keys(
  count: number,
  random: RandomSource = systemRandom,
): { readonly scalar: Buffer; readonly point: Buffer }[] {
  const scalars = Array.from({ length: count }, () => random.scalar(SM2_LARGEST_SCALAR));
  const points = sm2BaseMultiples(scalars);
  return scalars.map((scalar, at) => ({ scalar, point: points[at] ?? Buffer.alloc(0) }));
}
