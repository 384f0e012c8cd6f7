/** SM2 signatures (GB/T 32918.2) over messages with the signer's identity hash Z. */
import { KmcError } from '../../errors.ts';
import { concat, fromBigInt } from '../bytes.ts';
import { readEcSignature } from '../ec-signature.ts';
import { systemRandom } from '../random.ts';
import type { RandomSource } from '../random.ts';
import type { Sm2SigningKey, Sm2VerificationKey } from './sm2-arithmetic.ts';
import { SM2_BASE_POINT, SM2_CURVE, SM2_FIELD_LENGTH } from './sm2-curve.ts';
import { sm2Arithmetic } from './sm2-implementations.ts';
import { assertSm2Point } from './sm2-point.ts';
import { sm3 } from './sm3.ts';

export type { Sm2SigningKey, Sm2VerificationKey } from './sm2-arithmetic.ts';

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
  return id === SM2_DEFAULT_ID ? remembered(point) : sm3(identityOctets(point, id));
}

// A CA and its service sign and verify under few keys again and again.
const REMEMBERED_KEYS = 1024;
const zOfPoint = new Map<string, Buffer>();

/** Z under the default identity, from a bounded memory of public points. */
function remembered(point: Buffer): Buffer {
  const name = point.toString('latin1');
  const known = zOfPoint.get(name);
  if (known !== undefined) return known;
  const z = sm3(identityOctets(point, SM2_DEFAULT_ID));
  zOfPoint.set(name, z);
  for (const oldest of zOfPoint.keys()) {
    if (zOfPoint.size <= REMEMBERED_KEYS) break;
    zOfPoint.delete(oldest);
  }
  return z;
}

/**
 * Signs the whole messages with one key. Returns DER SEQUENCE { r, s } for each. Throws `E_USAGE` for a key that was not
 * imported, `E_POINT`, `E_ID`, `E_SELF_TEST` for a stuck random generator.
 */
export function signSm2Many(
  key: Sm2SigningKey,
  messages: readonly Buffer[],
  id: Buffer = SM2_DEFAULT_ID,
  random: RandomSource = systemRandom,
): Buffer[] {
  return sm2Arithmetic().sign(key, computeZ(key.point, id), messages, random);
}

/** {@link signSm2Many} for one message. */
export function signSm2(key: Sm2SigningKey, message: Buffer, id: Buffer = SM2_DEFAULT_ID): Buffer {
  const [signature] = signSm2Many(key, [message], id);
  if (signature === undefined) throw new RangeError('There is no signature.');
  return signature;
}

/** True for strict DER, r and s in [1, n-1] and r + s != n: what every verification demands before arithmetic. */
function isWellFormed(signature: Buffer): boolean {
  const value = readEcSignature(signature, SM2_CURVE.n);
  return value !== undefined && value.r + value.s !== SM2_CURVE.n;
}

/**
 * Verifies a DER signature over `message`. Never throws for a bad signature. Throws `E_USAGE` for a key that was not
 * imported, `E_POINT`, `E_ID`.
 */
export function verifySm2(
  key: Sm2VerificationKey,
  message: Buffer,
  signature: Buffer,
  id: Buffer = SM2_DEFAULT_ID,
): boolean {
  const z = computeZ(key.point, id);
  return isWellFormed(signature) && sm2Arithmetic().verify(key, z, message, signature);
}

/**
 * The same verdict as {@link verifySm2} by code that shares nothing with what signs and verifies: OpenSSL's where the kernel
 * is at work, `@noble/curves` otherwise. Slower: for signatures that must not leave with a fault. Throws `E_POINT`, `E_ID`.
 */
export function verifySm2Independently(
  key: Sm2VerificationKey,
  message: Buffer,
  signature: Buffer,
  id: Buffer = SM2_DEFAULT_ID,
): boolean {
  const identity = identityOctets(key.point, id);
  return isWellFormed(signature) && sm2Arithmetic().verifyIndependently(key, identity, message, signature);
}
