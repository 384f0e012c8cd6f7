/** ECDSA with SHA-256 on P-256 (FIPS 186-4), for estates from before the upgrade. */
import { createECDH, createSign, createVerify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { KmcError } from '../../errors.ts';
import { fromBigInt, isAllZero, toBigInt } from '../bytes.ts';
import { EC_SCALAR_LENGTH, readEcSignature } from '../ec-signature.ts';
import { systemRandom } from '../random.ts';
import type { RandomSource } from '../random.ts';

const { p, a, b, n } = p256.Point.CURVE();
const POINT_LENGTH = 65;
const LARGEST_SCALAR: Buffer = fromBigInt(n - 1n, EC_SCALAR_LENGTH);

/** Throws `E_POINT` unless `point` is 65 octets 04 || x || y on the curve. */
export function assertP256Point(point: Buffer): void {
  const x = toBigInt(point.subarray(1, 1 + EC_SCALAR_LENGTH));
  const y = toBigInt(point.subarray(1 + EC_SCALAR_LENGTH));
  const acceptable =
    point.length === POINT_LENGTH && point[0] === 4 && x < p && y < p && (x * x * x + a * x + b - y * y) % p === 0n;
  if (!acceptable) {
    throw new KmcError(
      'E_POINT',
      'The P-256 public key is not a point of the curve in uncompressed form (65 octets that start with 04).',
    );
  }
}

/** The public point dG, 65 octets. Throws `E_KEY` unless `scalar` is 32 octets in [1, n-1]. */
export function p256PublicPoint(scalar: Buffer): Buffer {
  if (scalar.length !== EC_SCALAR_LENGTH || isAllZero(scalar) || scalar.compare(LARGEST_SCALAR) > 0) {
    throw new KmcError('E_KEY', 'The P-256 private key is outside the range 1 to n-1; make or fetch another key.');
  }
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  return ecdh.getPublicKey();
}

/** A new private key and its public point. The caller wipes `scalar`. */
export function generateP256Key(random: RandomSource = systemRandom): { scalar: Buffer; point: Buffer } {
  const scalar = random.scalar(LARGEST_SCALAR);
  return { scalar, point: p256PublicPoint(scalar) };
}

/** Signs the whole `message`: DER SEQUENCE { r, s }. */
export function signP256(key: KeyObject, message: Buffer): Buffer {
  return createSign('sha256').update(message).sign(key);
}

/** Verifies a strict DER signature over `message`; never throws for a bad one. */
export function verifyP256(key: KeyObject, message: Buffer, signature: Buffer): boolean {
  return readEcSignature(signature, n) !== undefined && createVerify('sha256').update(message).verify(key, signature);
}

/** The same verdict as {@link verifyP256}, computed on `@noble/curves`. `point` is 65 octets. Throws `E_POINT`. */
export function verifyP256Independently(point: Buffer, message: Buffer, signature: Buffer): boolean {
  assertP256Point(point);
  return (
    readEcSignature(signature, n) !== undefined &&
    p256.verify(signature, message, point, { format: 'der', lowS: false })
  );
}
