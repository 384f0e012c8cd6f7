/**
 * SM2 signatures (GB/T 32918.2) over messages with the signer's identity hash Z. OpenSSL signs and verifies by the one
 * route that is genuine SM2 in Node: an imported key, and Z fed before the message. A second verification stands on
 * `@noble/curves` and uses nothing of OpenSSL.
 */
import { createSign, createVerify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { concat, fromBigInt, toBigInt } from '../bytes.ts';
import { readEcSignature } from '../ec-signature.ts';
import { portableSm3 } from './sm3-portable.ts';
import { sm3 } from './sm3.ts';
import { assertSm2Point, SM2_BASE_POINT, SM2_CURVE, SM2_FIELD_LENGTH, sm2CurvePoint, Sm2Point } from './sm2-point.ts';

/** The user identity of certificates, CSRs, CRLs, OCSP and every other signature here (GM/T 0009 section 10). */
export const SM2_DEFAULT_ID: Buffer = Buffer.from('1234567812345678', 'ascii');

// ENTL, the length of the identity in bits, has two octets.
const LONGEST_ID = 8191;

const CURVE_OCTETS: Buffer = Buffer.concat([
  fromBigInt(SM2_CURVE.a, SM2_FIELD_LENGTH),
  fromBigInt(SM2_CURVE.b, SM2_FIELD_LENGTH),
  SM2_BASE_POINT.subarray(1),
]);

/** ENTL || ID || a || b || Gx || Gy || Px || Py: what Z is the SM3 of. */
function identityOctets(point: Buffer, id: Buffer): Buffer {
  assertSm2Point(point);
  if (id.length > LONGEST_ID) {
    throw new KmcError('E_ID', `An SM2 user identity has at most ${LONGEST_ID} octets; this one has ${id.length}.`);
  }
  const entl = Buffer.alloc(2);
  entl.writeUInt16BE(id.length * 8);
  return concat(entl, id, CURVE_OCTETS, point.subarray(1));
}

/**
 * Z = SM3(ENTL || ID || a || b || Gx || Gy || Px || Py) of a public point (65 octets). Throws `E_POINT`, and `E_ID` for
 * an identity above 8191 octets.
 */
export function computeZ(point: Buffer, id: Buffer = SM2_DEFAULT_ID): Buffer {
  return sm3(identityOctets(point, id));
}

function assertImported(key: KeyObject): void {
  // A key straight from generateKeyPair has the type 'ec' and would make ECDSA on the SM2 curve; an imported one has not.
  if (key.asymmetricKeyType === 'ec') {
    throw new KmcError('E_USAGE', 'An SM2 key must be imported from PKCS#8 or SPKI before it is used.');
  }
}

/**
 * Signs the whole `message` with an imported private key; `point` is its public key, 65 octets. Returns DER
 * SEQUENCE { r, s }. Throws `E_USAGE` for a key that was not imported, `E_POINT`, `E_ID`.
 */
export function signSm2(key: KeyObject, point: Buffer, message: Buffer, id: Buffer = SM2_DEFAULT_ID): Buffer {
  assertImported(key);
  return createSign('sm3').update(computeZ(point, id)).update(message).sign(key);
}

/** True for strict DER, r and s in [1, n-1] and r + s != n: what every verification demands before arithmetic. */
function isWellFormed(signature: Buffer): boolean {
  const value = readEcSignature(signature, SM2_CURVE.n);
  return value !== undefined && value.r + value.s !== SM2_CURVE.n;
}

/**
 * Verifies a DER signature over `message` by OpenSSL. `key` is imported from the SPKI of `point` (65 octets). Never
 * throws for a bad signature. Throws `E_USAGE` for a key that was not imported, `E_POINT`, `E_ID`.
 */
export function verifySm2(
  key: KeyObject,
  point: Buffer,
  message: Buffer,
  signature: Buffer,
  id: Buffer = SM2_DEFAULT_ID,
): boolean {
  assertImported(key);
  const z = computeZ(point, id);
  return isWellFormed(signature) && createVerify('sm3').update(z).update(message).verify(key, signature);
}

/**
 * The same verdict as {@link verifySm2}, computed without OpenSSL (GB/T 32918.2 section 7). About ten times slower:
 * for the second check of CA signatures. Throws `E_POINT`, `E_ID`.
 */
export function verifySm2Independently(
  point: Buffer,
  message: Buffer,
  signature: Buffer,
  id: Buffer = SM2_DEFAULT_ID,
): boolean {
  const publicPoint = sm2CurvePoint(point);
  const e = toBigInt(portableSm3(portableSm3(identityOctets(point, id)), message));
  const value = readEcSignature(signature, SM2_CURVE.n);
  if (value === undefined) return false;
  const { r, s } = value;
  const t = (r + s) % SM2_CURVE.n;
  if (t === 0n) return false;
  const sum = Sm2Point.BASE.multiplyUnsafe(s).add(publicPoint.multiplyUnsafe(t));
  return !sum.is0() && (e + sum.toAffine().x) % SM2_CURVE.n === r;
}
