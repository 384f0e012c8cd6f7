/** The SM2 curve (GB/T 32918.5) and the one form in which points are accepted: 04 || x || y, on the curve. */
import { createECDH } from 'node:crypto';
import { weierstrass } from '@noble/curves/abstract/weierstrass.js';
import type { WeierstrassPoint } from '@noble/curves/abstract/weierstrass.js';
import { KmcError } from '../../errors.ts';
import { fromBigInt, toBigInt } from '../bytes.ts';

const p = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const a = p - 3n;
const b = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const n = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const Gx = 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n;
const Gy = 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n;

/** The curve's parameters by the names of the standard. */
export const SM2_CURVE = { p, a, b, n, Gx, Gy } as const;

/** Octets of a field element, of a scalar and of an uncompressed point. */
export const SM2_FIELD_LENGTH = 32;
export const SM2_POINT_LENGTH = 65;

/** The curve on `@noble/curves`: point arithmetic that is independent of OpenSSL. */
export const Sm2Point = weierstrass({ p, n, h: 1n, a, b, Gx, Gy });
export type Sm2CurvePoint = WeierstrassPoint<bigint>;

/** The base point G, 65 octets. */
export const SM2_BASE_POINT: Buffer = pointFromCoordinates(Gx, Gy);

/** 04 || x || y of affine coordinates. */
export function pointFromCoordinates(x: bigint, y: bigint): Buffer {
  return Buffer.concat([Buffer.from([4]), fromBigInt(x, SM2_FIELD_LENGTH), fromBigInt(y, SM2_FIELD_LENGTH)]);
}

/** True for 65 octets 04 || x || y with x, y < p and (x, y) on the curve. */
export function isSm2Point(point: Buffer): boolean {
  if (point.length !== SM2_POINT_LENGTH || point[0] !== 4) return false;
  const x = toBigInt(point.subarray(1, 1 + SM2_FIELD_LENGTH));
  const y = toBigInt(point.subarray(1 + SM2_FIELD_LENGTH));
  return x < p && y < p && (x * x * x + a * x + b - y * y) % p === 0n;
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

/** The point for arithmetic on `@noble/curves`. Throws `E_POINT`. */
export function sm2CurvePoint(point: Buffer): Sm2CurvePoint {
  assertSm2Point(point);
  return Sm2Point.fromBytes(point);
}

/** dG by OpenSSL, 65 octets. `scalar` is 32 octets in [1, n-1]; see sm2-key.ts for the range of private keys. */
export function sm2MultiplyBase(scalar: Buffer): Buffer {
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  return ecdh.getPublicKey();
}
