/**
 * SM2 without the kernel: OpenSSL signs and verifies by the one route that is genuine SM2 in Node, an imported key and Z
 * fed before the message; encryption, key exchange and the independent check stand on `@noble/curves`, whose arithmetic is
 * not constant time.
 */
import { createECDH, createSign, createVerify, ECDH } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { concat, equalConstantTime, fromBigInt, isAllZero, secretBuffer, toBigInt, wipe } from '../bytes.ts';
import { readEcSignature } from '../ec-signature.ts';
import type { Sm2Arithmetic, Sm2SharedPointInput } from './sm2-arithmetic.ts';
import type { Sm2Ciphertext } from './sm2-ciphertext.ts';
import { SM2_BASE_POINT, SM2_CURVE, SM2_FIELD_LENGTH } from './sm2-curve.ts';
import { sm2Kdf } from './sm2-kdf.ts';
import { sm2CurvePoint, Sm2Point } from './sm2-noble.ts';
import { portableSm3 } from './sm3-portable.ts';
import { sm3 } from './sm3.ts';

const { p, a, b, n } = SM2_CURVE;
const COMPRESSED_EVEN = Buffer.from([2]);
const P_OCTETS: Buffer = fromBigInt(p, SM2_FIELD_LENGTH);
// w = ceil(ceil(log2 n) / 2) - 1 = 127.
const HALF = 1n << 127n;

function assertImported(key: KeyObject): void {
  // A key straight from generateKeyPair has the type 'ec' and would make ECDSA on the SM2 curve; an imported one has not.
  if (key.asymmetricKeyType === 'ec') {
    throw new KmcError('E_USAGE', 'An SM2 key must be imported from PKCS#8 or SPKI before it is used.');
  }
}

function multiplyBase(scalar: Buffer): Buffer {
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  return ecdh.getPublicKey();
}

function isOnCurve(point: Buffer): boolean {
  const x = toBigInt(point.subarray(1, 1 + SM2_FIELD_LENGTH));
  const y = toBigInt(point.subarray(1 + SM2_FIELD_LENGTH));
  return x < p && y < p && (x * x * x + a * x + b - y * y) % p === 0n;
}

function xorInto(target: Buffer, source: Buffer): void {
  for (let index = 0; index < target.length; index += 1) target[index] = (target[index] ?? 0) ^ (source[index] ?? 0);
}

/** The verdict of GB/T 32918.2 section 7 without OpenSSL. */
function verifyByNoble(point: Buffer, identity: Buffer, message: Buffer, signature: Buffer): boolean {
  const e = toBigInt(Buffer.from(portableSm3(portableSm3(identity), message)));
  const value = readEcSignature(signature, n);
  if (value === undefined) return false;
  const { r, s } = value;
  const t = (r + s) % n;
  if (t === 0n) return false;
  const sum = Sm2Point.BASE.multiplyUnsafe(s).add(sm2CurvePoint(point).multiplyUnsafe(t));
  return !sum.is0() && (e + sum.toAffine().x) % n === r;
}

function encrypt(point: Buffer, message: Buffer, nonce: Buffer): Sm2Ciphertext | undefined {
  const shared = sm2CurvePoint(point).multiply(toBigInt(nonce)).toAffine();
  const x2 = fromBigInt(shared.x, SM2_FIELD_LENGTH);
  const y2 = fromBigInt(shared.y, SM2_FIELD_LENGTH);
  const z = concat(x2, y2);
  const c2 = sm2Kdf(z, message.length);
  try {
    if (isAllZero(c2)) return undefined;
    xorInto(c2, message);
    return { c1: multiplyBase(nonce), c2, c3: sm3(x2, message, y2) };
  } finally {
    wipe(x2, y2, z);
  }
}

/** p - y by octets, without a BigInt copy of a secret. */
function negated(y: Buffer): Buffer {
  const difference = secretBuffer(SM2_FIELD_LENGTH);
  let borrow = 0;
  for (let index = SM2_FIELD_LENGTH - 1; index >= 0; index -= 1) {
    const octet = (P_OCTETS[index] ?? 0) - (y[index] ?? 0) - borrow;
    borrow = octet < 0 ? 1 : 0;
    difference[index] = octet & 0xff;
  }
  return difference;
}

function isMessage(x2: Buffer, y2: Buffer, { c2, c3 }: Sm2Ciphertext, message: Buffer): boolean {
  const z = concat(x2, y2);
  const stream = sm2Kdf(z, c2.length);
  const usable = !isAllZero(stream);
  c2.copy(message);
  xorInto(message, stream);
  const digest = sm3(x2, message, y2);
  wipe(z, stream);
  return equalConstantTime(digest, c3) && usable;
}

/** The message under x(dC1): OpenSSL gives only x, so both roots y are tried and C3 tells which it is. */
function openUnder(x2: Buffer, ciphertext: Sm2Ciphertext): Buffer | undefined {
  const compressed = concat(COMPRESSED_EVEN, x2);
  // A Buffer, for no encoding of the output is asked for.
  const point = ECDH.convertKey(compressed, 'SM2', undefined, undefined, 'uncompressed') as Buffer;
  const evenY = point.subarray(1 + SM2_FIELD_LENGTH);
  const oddY = negated(evenY);
  const first = secretBuffer(ciphertext.c2.length);
  const second = secretBuffer(ciphertext.c2.length);
  const opensFirst = isMessage(x2, evenY, ciphertext, first);
  const opensSecond = isMessage(x2, oddY, ciphertext, second);
  wipe(compressed, point, oddY, opensFirst ? undefined : first, opensSecond ? undefined : second);
  return opensFirst ? first : opensSecond ? second : undefined;
}

function decrypt(scalar: Buffer, ciphertext: Sm2Ciphertext): Buffer | undefined {
  const onCurve = isOnCurve(ciphertext.c1);
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  // Off the curve the base point stands in, so that the fault is not told by an early answer.
  const x2 = ecdh.computeSecret(onCurve ? ciphertext.c1 : SM2_BASE_POINT);
  try {
    const message = openUnder(x2, ciphertext);
    if (onCurve) return message;
    wipe(message);
    return undefined;
  } finally {
    wipe(x2);
  }
}

function reducedX(point: Buffer): bigint {
  return HALF + (toBigInt(point.subarray(1, 1 + SM2_FIELD_LENGTH)) & (HALF - 1n));
}

/** U = t (P_peer + x~ R_peer), as x || y. */
function sharedPoint(input: Sm2SharedPointInput): Buffer | undefined {
  const t = (toBigInt(input.scalar) + reducedX(input.ephemeralPoint) * toBigInt(input.ephemeralScalar)) % n;
  const peer = sm2CurvePoint(input.peerPoint).add(
    sm2CurvePoint(input.peerEphemeralPoint).multiply(reducedX(input.peerEphemeralPoint)),
  );
  if (t === 0n || peer.is0()) return undefined;
  const { x, y } = peer.multiply(t).toAffine();
  return concat(fromBigInt(x, SM2_FIELD_LENGTH), fromBigInt(y, SM2_FIELD_LENGTH));
}

export const sm2ByNode: Sm2Arithmetic = {
  multiplyBase: (scalars) => scalars.map(multiplyBase),
  isOnCurve,
  sign({ keyObject }, z, messages) {
    assertImported(keyObject);
    return messages.map((message) => createSign('sm3').update(z).update(message).sign(keyObject));
  },
  verify({ keyObject }, z, message, signature) {
    assertImported(keyObject);
    return createVerify('sm3').update(z).update(message).verify(keyObject, signature);
  },
  verifyIndependently: ({ point }, identity, message, signature) => verifyByNoble(point, identity, message, signature),
  encrypt,
  decrypt,
  sharedPoint,
};
