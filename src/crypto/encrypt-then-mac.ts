/**
 * Encrypt-then-MAC from HKDF-SM3, SM4-CTR and HMAC-SM3, the one authenticated encryption of this product: of blobs
 * (seal.ts) and of data (data-ciphertext.ts). A fresh salt gives each message keys of its own, and the full tag commits to
 * them. SM4-GCM is in no vetted library here, commits to no key, and would have a nonce to keep.
 */
import { concat, equalConstantTime, wipe } from './bytes.ts';
import { hkdfSm3, hmacSm3 } from './gm/sm3.ts';
import { sm4Ctr } from './gm/sm4.ts';

/** Octets of a salt, and of a tag. */
export const SALT_LENGTH = 16;
export const TAG_LENGTH = 32;

/** What a message is encrypted under: the key, its fresh salt (16 octets), and what the derivation is bound to. */
export interface MessageKey {
  readonly key: Buffer;
  readonly salt: Buffer;
  /** At most 1024 octets. */
  readonly info: Buffer;
}

/** 16 octets SM4 key, 16 octets start of the counter, 32 octets MAC key. */
function deriveKeys({ key, salt, info }: MessageKey): Buffer {
  return hkdfSm3(key, salt, info, 64);
}

function tagOf(keys: Buffer, head: Buffer, salt: Buffer, ciphertext: Buffer): Buffer {
  const lengths = Buffer.alloc(16);
  lengths.writeUInt32BE(head.length, 4);
  lengths.writeUInt32BE(ciphertext.length, 12);
  return hmacSm3(keys.subarray(32, 64), head, salt, ciphertext, lengths);
}

/** Ciphertext and tag; `head` is authenticated with it. */
export function encryptThenMac(under: MessageKey, head: Buffer, content: Buffer): Buffer {
  const keys = deriveKeys(under);
  try {
    const ciphertext = sm4Ctr(keys.subarray(0, 16), keys.subarray(16, 32), content);
    return concat(ciphertext, tagOf(keys, head, under.salt, ciphertext));
  } finally {
    wipe(keys);
  }
}

/** The content, in a Buffer that the caller wipes; nothing when key, head, salt or any octet of `sealed` is another. */
export function decryptAfterMac(under: MessageKey, head: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < TAG_LENGTH) return undefined;
  const ciphertext = sealed.subarray(0, sealed.length - TAG_LENGTH);
  const keys = deriveKeys(under);
  try {
    const tag = tagOf(keys, head, under.salt, ciphertext);
    if (!equalConstantTime(tag, sealed.subarray(sealed.length - TAG_LENGTH))) return undefined;
    return sm4Ctr(keys.subarray(0, 16), keys.subarray(16, 32), ciphertext);
  } finally {
    wipe(keys);
  }
}
