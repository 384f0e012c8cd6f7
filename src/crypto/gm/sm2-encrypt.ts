/** SM2 public-key encryption (GB/T 32918.4). */
import { createECDH, ECDH } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { concat, equalConstantTime, fromBigInt, isAllZero, secretBuffer, toBigInt, wipe } from '../bytes.ts';
import { systemRandom } from '../random.ts';
import type { RandomSource } from '../random.ts';
import { decodeSm2Ciphertext, encodeSm2Ciphertext, SM2_LONGEST_MESSAGE } from './sm2-ciphertext.ts';
import type { Sm2Ciphertext, Sm2CiphertextForm } from './sm2-ciphertext.ts';
import { assertSm2Scalar } from './sm2-key.ts';
import {
  isSm2Point,
  SM2_BASE_POINT,
  SM2_CURVE,
  SM2_FIELD_LENGTH,
  sm2CurvePoint,
  sm2MultiplyBase,
} from './sm2-point.ts';
import { sm3, SM3_LENGTH } from './sm3.ts';

export type { Sm2Ciphertext, Sm2CiphertextForm } from './sm2-ciphertext.ts';

const LARGEST_NONCE: Buffer = fromBigInt(SM2_CURVE.n - 1n, SM2_FIELD_LENGTH);
const COMPRESSED_EVEN = Buffer.from([2]);
const P_OCTETS: Buffer = fromBigInt(SM2_CURVE.p, SM2_FIELD_LENGTH);
// An all-zero key stream has the probability 2^-8 for one octet and vanishes for more.
const ATTEMPTS = 64;

/** KDF(Z, klen) of GB/T 32918.4 5.4.3: `length` octets of SM3(z || ct) for ct = 1, 2, … The caller wipes the result. */
export function sm2Kdf(z: Buffer, length: number): Buffer {
  const stream = secretBuffer(length);
  const counter = Buffer.alloc(4);
  for (let at = 0, ct = 1; at < length; at += SM3_LENGTH, ct += 1) {
    counter.writeUInt32BE(ct);
    const block = sm3(z, counter);
    block.copy(stream, at);
    wipe(block);
  }
  return stream;
}

function xorInto(target: Buffer, source: Buffer): void {
  for (let index = 0; index < target.length; index += 1) target[index] = (target[index] ?? 0) ^ (source[index] ?? 0);
}

/**
 * Encrypts with a given nonce k (32 octets in [1, n-1]): for known answers and for {@link encryptSm2} only, since a
 * nonce used twice gives the messages away. Undefined when the key stream is all zero and another nonce must be taken.
 * Throws `E_POINT`.
 */
export function encryptSm2WithNonce(point: Buffer, message: Buffer, nonce: Buffer): Sm2Ciphertext | undefined {
  const shared = sm2CurvePoint(point).multiply(toBigInt(nonce)).toAffine();
  const x2 = fromBigInt(shared.x, SM2_FIELD_LENGTH);
  const y2 = fromBigInt(shared.y, SM2_FIELD_LENGTH);
  const z = concat(x2, y2);
  const c2 = sm2Kdf(z, message.length);
  try {
    if (isAllZero(c2)) return undefined;
    xorInto(c2, message);
    return { c1: sm2MultiplyBase(nonce), c2, c3: sm3(x2, message, y2) };
  } finally {
    wipe(x2, y2, z);
  }
}

/**
 * Encrypts `message` (1 to 65536 octets) to a public point (65 octets), by default as DER SM2Cipher. Throws `E_POINT`,
 * `E_USAGE` for an empty message, `E_SIZE` for one too long, `E_SELF_TEST` for a stuck random generator.
 */
export function encryptSm2(
  point: Buffer,
  message: Buffer,
  form: Sm2CiphertextForm = 'der',
  random: RandomSource = systemRandom,
): Buffer {
  if (message.length === 0) throw new KmcError('E_USAGE', 'SM2 does not encrypt an empty message.');
  if (message.length > SM2_LONGEST_MESSAGE) {
    throw new KmcError('E_SIZE', `SM2 encrypts at most ${SM2_LONGEST_MESSAGE} octets; encrypt data with SM4.`);
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const nonce = random.scalar(LARGEST_NONCE);
    try {
      const parts = encryptSm2WithNonce(point, message, nonce);
      if (parts !== undefined) return encodeSm2Ciphertext(parts, form);
    } finally {
      wipe(nonce);
    }
  }
  throw new KmcError('E_SELF_TEST', 'SM2 encryption gives no usable key stream; stop and examine this machine.');
}

function notDecrypted(cause?: unknown): KmcError {
  return new KmcError(
    'E_DECRYPT',
    'The SM2 ciphertext does not decrypt: it is damaged, in another form, or for another key.',
    cause === undefined ? {} : { cause },
  );
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

function readCiphertext(bytes: Buffer, form: Sm2CiphertextForm): Sm2Ciphertext {
  let parts: Sm2Ciphertext;
  try {
    parts = decodeSm2Ciphertext(bytes, form);
  } catch (cause) {
    if (cause instanceof KmcError) throw notDecrypted(cause);
    throw cause;
  }
  if (parts.c2.length === 0 || parts.c2.length > SM2_LONGEST_MESSAGE) throw notDecrypted();
  return parts;
}

/**
 * Decrypts with a private key (`scalar`, 32 octets). The caller wipes the message. Throws `E_KEY` for a scalar out of
 * range, and `E_DECRYPT` with one text for every fault of the ciphertext; a C1 off the curve costs the same time as a
 * wrong C3 (GB/T 32918.4 7.1 B1).
 */
export function decryptSm2(scalar: Buffer, ciphertext: Buffer, form: Sm2CiphertextForm = 'der'): Buffer {
  assertSm2Scalar(scalar);
  const parts = readCiphertext(ciphertext, form);
  const onCurve = isSm2Point(parts.c1);
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  // Off the curve the base point stands in, so that the fault is not told by an early answer.
  const x2 = ecdh.computeSecret(onCurve ? parts.c1 : SM2_BASE_POINT);
  try {
    const message = openUnder(x2, parts);
    if (message !== undefined && onCurve) return message;
    wipe(message);
    throw notDecrypted();
  } finally {
    wipe(x2);
  }
}
