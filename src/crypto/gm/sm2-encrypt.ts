/** SM2 public-key encryption (GB/T 32918.4). */
import { KmcError } from '../../errors.ts';
import { wipe } from '../bytes.ts';
import { systemRandom } from '../random.ts';
import type { RandomSource } from '../random.ts';
import { decodeSm2Ciphertext, encodeSm2Ciphertext, SM2_LONGEST_MESSAGE } from './sm2-ciphertext.ts';
import type { Sm2Ciphertext, Sm2CiphertextForm } from './sm2-ciphertext.ts';
import { SM2_LARGEST_NONCE } from './sm2-curve.ts';
import { sm2Arithmetic } from './sm2-implementations.ts';
import { assertSm2Scalar } from './sm2-key.ts';
import { assertSm2Point } from './sm2-point.ts';

export type { Sm2Ciphertext, Sm2CiphertextForm } from './sm2-ciphertext.ts';

// An all-zero key stream has the probability 2^-8 for one octet and vanishes for more.
const ATTEMPTS = 64;

/**
 * Encrypts with a given nonce k (32 octets in [1, n-1]): for known answers and for {@link encryptSm2} only, since a
 * nonce used twice gives the messages away. Undefined when the key stream is all zero and another nonce must be taken.
 * Throws `E_POINT`.
 */
export function encryptSm2WithNonce(point: Buffer, message: Buffer, nonce: Buffer): Sm2Ciphertext | undefined {
  assertSm2Point(point);
  return sm2Arithmetic().encrypt(point, message, nonce);
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
    const nonce = random.scalar(SM2_LARGEST_NONCE);
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
  const message = sm2Arithmetic().decrypt(scalar, parts);
  if (message === undefined) throw notDecrypted();
  return message;
}
