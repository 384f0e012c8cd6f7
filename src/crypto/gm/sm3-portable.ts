/**
 * SM3 (GB/T 32905) without OpenSSL: for the second verification of signatures, which must not stand on the first one's
 * code, and for verifiers that run where OpenSSL has no SM3. Everything else hashes with sm3.ts, which is faster.
 */
import { concat } from '../bytes.ts';

const INITIAL_STATE = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];
const BLOCK_LENGTH = 64;
const LENGTH_FIELD = 8;
const ROUNDS = 64;

function rotl(word: number, bits: number): number {
  return (word << (bits & 31)) | (word >>> ((32 - bits) & 31));
}

/** T_j <<< (j mod 32) for each round j (4.2). */
const ROUND_CONSTANTS = Array.from({ length: ROUNDS }, (_, j) => rotl(j < 16 ? 0x79cc4519 : 0x7a879d8a, j % 32));

/** The message with 1, zeros and its length in bits behind it (5.2). */
function pad(message: Buffer): Buffer {
  const zeros = (2 * BLOCK_LENGTH - 1 - LENGTH_FIELD - (message.length % BLOCK_LENGTH)) % BLOCK_LENGTH;
  const tail = Buffer.alloc(1 + zeros + LENGTH_FIELD);
  tail[0] = 0x80;
  tail.writeBigUInt64BE(BigInt(message.length) * 8n, 1 + zeros);
  return concat(message, tail);
}

/** Fills W_0 to W_67 from the block at `offset` (5.3.2); W'_j is W_j ^ W_j+4. */
function expand(words: Int32Array, padded: Buffer, offset: number): void {
  for (let j = 0; j < 16; j += 1) words[j] = padded.readInt32BE(offset + 4 * j);
  for (let j = 16; j < words.length; j += 1) {
    const mixed = (words[j - 16] ?? 0) ^ (words[j - 9] ?? 0) ^ rotl(words[j - 3] ?? 0, 15);
    const permuted = mixed ^ rotl(mixed, 15) ^ rotl(mixed, 23);
    words[j] = permuted ^ rotl(words[j - 13] ?? 0, 7) ^ (words[j - 6] ?? 0);
  }
}

/** The compression function CF (5.3.3); `state` is changed in place. */
function compress(state: Int32Array, words: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let j = 0; j < ROUNDS; j += 1) {
    const word = words[j] ?? 0;
    const ss1 = rotl((rotl(a, 12) + e + (ROUND_CONSTANTS[j] ?? 0)) | 0, 7);
    const ss2 = ss1 ^ rotl(a, 12);
    const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + ss2 + (word ^ (words[j + 4] ?? 0))) | 0;
    const tt2 = (gg + h + ss1 + word) | 0;
    [a, b, c, d] = [tt1, a, rotl(b, 9), c];
    [e, f, g, h] = [tt2 ^ rotl(tt2, 9) ^ rotl(tt2, 17), e, rotl(f, 19), g];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => (state[index] = (state[index] ?? 0) ^ word));
}

/** SM3 over the parts one after the other: 32 octets. */
export function portableSm3(...parts: readonly Uint8Array[]): Buffer {
  const padded = pad(concat(...parts));
  const state = Int32Array.from(INITIAL_STATE);
  const words = new Int32Array(ROUNDS + 4);
  for (let offset = 0; offset < padded.length; offset += BLOCK_LENGTH) {
    expand(words, padded, offset);
    compress(state, words);
  }
  const digest = Buffer.alloc(4 * INITIAL_STATE.length);
  state.forEach((word, index) => digest.writeInt32BE(word, 4 * index));
  return digest;
}
