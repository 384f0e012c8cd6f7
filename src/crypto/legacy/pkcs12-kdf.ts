/** Key derivation of PKCS#12 (RFC 7292 appendix B), over Buffers so that neither password nor keys become strings. */
import { isUtf8, transcode } from 'node:buffer';
import { createHash } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { secretBuffer, wipe } from '../bytes.ts';

/** The ID octet of RFC 7292 B.3: what the derived octets are for. */
export const PKCS12_ID = { key: 1, iv: 2, mac: 3 } as const;

/** Hash functions and their input block length v in octets (RFC 7292 B.2). */
const HASH_BLOCK = { sha1: 64, sha256: 64, sha384: 128, sha512: 128 } as const;
export type Pkcs12Hash = keyof typeof HASH_BLOCK;

/**
 * The password as PKCS#12 hashes it: BMPString in big-endian order with two zero octets at the end (RFC 7292 B.1).
 * @param passphrase UTF-8. @returns octets that the caller wipes.
 * @throws KmcError E_PASSPHRASE when it is empty or not UTF-8.
 */
export function pkcs12Password(passphrase: Buffer): Buffer {
  if (passphrase.length === 0 || !isUtf8(passphrase)) {
    throw new KmcError('E_PASSPHRASE', 'The passphrase of a PKCS#12 file must be UTF-8 text and not empty.');
  }
  const littleEndian = transcode(passphrase, 'utf8', 'utf16le');
  const password = secretBuffer(littleEndian.length + 2);
  littleEndian.copy(password);
  wipe(littleEndian);
  return password.swap16();
}

/**
 * Derives `length` octets from a password of `pkcs12Password`. The work grows with `iterations`, which the caller bounds.
 * @returns octets that the caller wipes.
 */
export function pkcs12Kdf(
  hash: Pkcs12Hash,
  password: Buffer,
  salt: Buffer,
  iterations: number,
  id: number,
  length: number,
): Buffer {
  const block = HASH_BLOCK[hash];
  const diversifier = Buffer.alloc(block, id);
  const saltLength = wholeBlocks(salt.length, block);
  const input = secretBuffer(saltLength + wholeBlocks(password.length, block));
  if (salt.length > 0) input.fill(salt, 0, saltLength);
  input.fill(password, saltLength);
  const derived = secretBuffer(length);
  try {
    for (let filled = 0; filled < length;) {
      let digest = createHash(hash).update(diversifier).update(input).digest();
      for (let round = 1; round < iterations; round += 1) digest = createHash(hash).update(digest).digest();
      filled += digest.copy(derived, filled);
      addToBlocks(input, digest, block);
      wipe(digest);
    }
    return derived;
  } finally {
    wipe(input);
  }
}

function wholeBlocks(length: number, block: number): number {
  return Math.ceil(length / block) * block;
}

/** Adds B + 1 to each block of `input`, where B is the digest repeated to a block (RFC 7292 B.2 step 6C). */
function addToBlocks(input: Buffer, digest: Buffer, block: number): void {
  for (let start = 0; start < input.length; start += block) {
    let carry = 1;
    for (let at = block - 1; at >= 0; at -= 1) {
      const sum = (input[start + at] ?? 0) + (digest[at % digest.length] ?? 0) + carry;
      input[start + at] = sum & 0xff;
      carry = sum >> 8;
    }
  }
}
