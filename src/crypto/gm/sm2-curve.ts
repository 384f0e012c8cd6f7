/** The parameters of the SM2 curve (GB/T 32918.5). */
import { fromBigInt } from '../bytes.ts';

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

/** The base point G, 65 octets. */
export const SM2_BASE_POINT: Buffer = pointFromCoordinates(Gx, Gy);

/** The largest scalar, n - 1. */
export const SM2_LARGEST_NONCE: Buffer = fromBigInt(n - 1n, SM2_FIELD_LENGTH);

/** 04 || x || y of affine coordinates. */
function pointFromCoordinates(x: bigint, y: bigint): Buffer {
  return Buffer.concat([Buffer.from([4]), fromBigInt(x, SM2_FIELD_LENGTH), fromBigInt(y, SM2_FIELD_LENGTH)]);
}
