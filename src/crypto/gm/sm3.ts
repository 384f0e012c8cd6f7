/** SM3 (GB/T 32905) and what is built on it: HMAC, HKDF (RFC 5869), PBKDF2 (RFC 8018). Through node:crypto but for short digests. */
import { createHash, createHmac, hash as hashOnce, hkdfSync, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { kernelSm3 } from '../kernel/kernel.ts';
import { chosenSm2Engine } from './sm2-choice.ts';

/** Octets of an SM3 digest. */
export const SM3_LENGTH = 32;

const pbkdf2Async = promisify(pbkdf2);

/** Below this many octets the object that node:crypto makes for each digest costs more than the kernel's slower rounds. */
const SHORT_INPUT = 700;

/** SM3 over the parts one after the other: 32 octets. */
export function sm3(...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  return length < SHORT_INPUT && chosenSm2Engine() === 'kernel' ? kernelSm3(parts, length) : opensslSm3(...parts);
}

/** {@link sm3} by OpenSSL, whatever the length. */
export function opensslSm3(...parts: readonly Uint8Array[]): Buffer {
  const [only] = parts;
  // The one-shot call costs a third less for short inputs, of which the tree of the audit log hashes millions.
  if (only !== undefined && parts.length === 1) return hashOnce('sm3', only, 'buffer');
  const hash = createHash('sm3');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** SM3 over octets that do not fit in memory together. */
export class Sm3Stream {
  readonly #hash = createHash('sm3');

  update(part: Uint8Array): void {
    this.#hash.update(part);
  }

  /** 32 octets; the stream is of no use afterwards. */
  digest(): Buffer {
    return this.#hash.digest();
  }
}

/** HMAC-SM3 over the parts one after the other: 32 octets. */
export function hmacSm3(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const hmac = createHmac('sm3', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** HKDF with SM3 (RFC 5869): `length` octets; `info` at most 1024 octets, `length` at most 8160. */
export function hkdfSm3(inputKeyingMaterial: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Buffer {
  return Buffer.from(hkdfSync('sm3', inputKeyingMaterial, salt, info, length));
}

/** PBKDF2 with HMAC-SM3 (RFC 8018 5.2): `length` octets. Runs outside the event loop. */
export function pbkdf2HmacSm3(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Promise<Buffer> {
  return pbkdf2Async(password, salt, iterations, length, 'sm3');
}
