/** The curve on `@noble/curves`: point arithmetic that shares no code with OpenSSL or the kernel. Not constant time. */
import { weierstrass } from '@noble/curves/abstract/weierstrass.js';
import type { WeierstrassPoint } from '@noble/curves/abstract/weierstrass.js';
import { SM2_CURVE } from './sm2-curve.ts';

const { p, n, a, b, Gx, Gy } = SM2_CURVE;

export const Sm2Point = weierstrass({ p, n, h: 1n, a, b, Gx, Gy });
export type Sm2CurvePoint = WeierstrassPoint<bigint>;

/** The point of 65 octets. Throws for a point off the curve, which callers refuse before. */
export function sm2CurvePoint(point: Buffer): Sm2CurvePoint {
  return Sm2Point.fromBytes(point);
}
