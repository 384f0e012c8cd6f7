/** SM4 (GB/T 32907) in ECB, CBC and CTR through node:crypto. No mode here authenticates: see seal.ts for that. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { concat, wipe } from '../bytes.ts';

/** Octets of an SM4 key and of an SM4 block. */
export const SM4_KEY_LENGTH = 16;
const SM4_BLOCK_LENGTH = 16;

type Sm4Mode = 'sm4-ecb' | 'sm4-cbc' | 'sm4-ctr';
interface Sm4Call {
  readonly mode: Sm4Mode;
  readonly key: Uint8Array;
  readonly iv: Uint8Array | null;
  readonly padding: boolean;
}

function checkLengths({ key, iv }: Sm4Call): void {
  if (key.length !== SM4_KEY_LENGTH || (iv !== null && iv.length !== SM4_BLOCK_LENGTH)) {
    throw new KmcError('E_USAGE', 'An SM4 key and its initialization vector have 16 octets each.');
  }
}

function checkBlocks(data: Uint8Array): void {
  if (data.length % SM4_BLOCK_LENGTH !== 0) {
    throw new KmcError('E_USAGE', 'SM4 without padding takes whole blocks of 16 octets.');
  }
}

function encrypt(call: Sm4Call, plaintext: Uint8Array): Buffer {
  checkLengths(call);
  if (!call.padding && call.mode !== 'sm4-ctr') checkBlocks(plaintext);
  const cipher = createCipheriv(call.mode, call.key, call.iv).setAutoPadding(call.padding);
  const head = cipher.update(plaintext);
  const tail = cipher.final();
  const result = concat(head, tail);
  // In CTR this is the plaintext of a decryption.
  wipe(head, tail);
  return result;
}

function decrypt(call: Sm4Call, ciphertext: Uint8Array): Buffer {
  checkLengths(call);
  if (!call.padding) checkBlocks(ciphertext);
  const decipher = createDecipheriv(call.mode, call.key, call.iv).setAutoPadding(call.padding);
  const head = decipher.update(ciphertext);
  let tail: Buffer | undefined;
  try {
    tail = decipher.final();
    return concat(head, tail);
  } catch (cause) {
    throw new KmcError('E_DECRYPT', 'The SM4 ciphertext does not decrypt under this key.', { cause });
  } finally {
    wipe(head, tail);
  }
}

/** SM4-ECB without padding; `plaintext` is whole blocks (`E_USAGE`). For single keys inside SM2EnvelopedKey only. */
export function sm4EcbEncrypt(key: Uint8Array, plaintext: Uint8Array): Buffer {
  return encrypt({ mode: 'sm4-ecb', key, iv: null, padding: false }, plaintext);
}

/** The reverse of {@link sm4EcbEncrypt}. */
export function sm4EcbDecrypt(key: Uint8Array, ciphertext: Uint8Array): Buffer {
  return decrypt({ mode: 'sm4-ecb', key, iv: null, padding: false }, ciphertext);
}

/** SM4-CBC with PKCS#7 padding; `iv` 16 octets. */
export function sm4CbcEncrypt(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Buffer {
  return encrypt({ mode: 'sm4-cbc', key, iv, padding: true }, plaintext);
}

/** The reverse of {@link sm4CbcEncrypt}. Throws `E_DECRYPT` for an empty or partial ciphertext or wrong padding. */
export function sm4CbcDecrypt(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Buffer {
  return decrypt({ mode: 'sm4-cbc', key, iv, padding: true }, ciphertext);
}

/** SM4-CBC without padding; `plaintext` is whole blocks (`E_USAGE`). */
export function sm4CbcEncryptBlocks(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Buffer {
  return encrypt({ mode: 'sm4-cbc', key, iv, padding: false }, plaintext);
}

/** The reverse of {@link sm4CbcEncryptBlocks}. */
export function sm4CbcDecryptBlocks(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Buffer {
  return decrypt({ mode: 'sm4-cbc', key, iv, padding: false }, ciphertext);
}

/** SM4-CTR, both directions; `iv` is the first counter block, 16 octets, counted big-endian. */
export function sm4Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Buffer {
  return encrypt({ mode: 'sm4-ctr', key, iv, padding: false }, data);
}
