/** SM2 signatures (GB/T 32918.2) under the identity 1234567812345678, on the curve of @noble/curves. */
import { weierstrass } from '@noble/curves/abstract/weierstrass.js';
import { portableSm3 } from '../crypto/gm/sm3-portable.ts';
import { concat, toBigInt, utf8 } from './octets.ts';

const p = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const n = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const b = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const Gx = 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n;
const Gy = 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n;
const Point = weierstrass({ p, n, h: 1n, a: p - 3n, b, Gx, Gy });
const IDENTITY = utf8('1234567812345678');
const POINT_OCTETS = 65;
const SIGNATURE_OCTETS = 64;

function field(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => Number((value >> BigInt(8 * (31 - at))) & 0xffn));
}

/** Z of a public key: SM3(length of the identity in bits || identity || a || b || G || key). */
function identityDigest(point: Uint8Array): Uint8Array {
  const bits = Uint8Array.of(0, IDENTITY.length * 8);
  return portableSm3(bits, IDENTITY, field(p - 3n), field(b), field(Gx), field(Gy), point.subarray(1));
}

/** True when `point` is 65 octets of a point of the curve. */
export function isSm2Point(point: Uint8Array): boolean {
  if (point.length !== POINT_OCTETS || point[0] !== 4) return false;
  try {
    Point.fromBytes(point).assertValidity();
    return true;
  } catch {
    return false;
  }
}

/** Verifies r || s (64 octets) over a message. False, never an error, for whatever is not a signature. */
export function verifySm2(point: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_OCTETS || !isSm2Point(point)) return false;
  const r = toBigInt(signature.subarray(0, 32));
  const s = toBigInt(signature.subarray(32));
  if (r <= 0n || r >= n || s <= 0n || s >= n) return false;
  const t = (r + s) % n;
  if (t === 0n) return false;
  const e = toBigInt(portableSm3(concat(identityDigest(point), message)));
  const sum = Point.BASE.multiplyUnsafe(s).add(Point.fromBytes(point).multiplyUnsafe(t));
  return !sum.is0() && (e + sum.toAffine().x) % n === r;
}
