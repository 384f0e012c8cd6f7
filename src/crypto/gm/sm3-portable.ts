/**
 * SM3 (GB/T 32905) without OpenSSL, on the Merkle-Damgård base of @noble/hashes: for the second verification of
 * signatures, which must not stand on the first one's code, and for verifiers that run where OpenSSL has no SM3.
 * Everything else hashes with sm3.ts, which is faster.
 */
import { Chi, HashMD, Maj } from '@noble/hashes/_md.js';

const INITIAL_STATE = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];
const BLOCK_LENGTH = 64;
const DIGEST_LENGTH = 32;
const LENGTH_FIELD = 8;
const ROUNDS = 64;

function rotl(word: number, bits: number): number {
  return (word << (bits & 31)) | (word >>> ((32 - bits) & 31));
}

/** T_j <<< (j mod 32) for each round j (4.2). */
const ROUND_CONSTANTS = Array.from({ length: ROUNDS }, (_, j) => rotl(j < 16 ? 0x79cc4519 : 0x7a879d8a, j % 32));

/** Fills W_0 to W_67 from a block (5.3.2); W'_j is W_j ^ W_j+4. */
function expand(words: Int32Array, block: DataView, offset: number): void {
  for (let j = 0; j < 16; j += 1) words[j] = block.getInt32(offset + 4 * j);
  for (let j = 16; j < words.length; j += 1) {
    const mixed = (words[j - 16] ?? 0) ^ (words[j - 9] ?? 0) ^ rotl(words[j - 3] ?? 0, 15);
    const permuted = mixed ^ rotl(mixed, 15) ^ rotl(mixed, 23);
    words[j] = permuted ^ rotl(words[j - 13] ?? 0, 7) ^ (words[j - 6] ?? 0);
  }
}

class Sm3 extends HashMD<Sm3> {
  readonly #state = Int32Array.from(INITIAL_STATE);
  readonly #words = new Int32Array(ROUNDS + 4);

  constructor() {
    super(BLOCK_LENGTH, DIGEST_LENGTH, LENGTH_FIELD, false);
  }

  /** The compression function CF (5.3.3). */
  protected override process(block: DataView, offset: number): void {
    const words = this.#words;
    expand(words, block, offset);
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#state;
    for (let j = 0; j < ROUNDS; j += 1) {
      const word = words[j] ?? 0;
      const ss1 = rotl((rotl(a, 12) + e + (ROUND_CONSTANTS[j] ?? 0)) | 0, 7);
      const ss2 = ss1 ^ rotl(a, 12);
      const ff = j < 16 ? a ^ b ^ c : Maj(a, b, c);
      const gg = j < 16 ? e ^ f ^ g : Chi(e, f, g);
      const tt1 = (ff + d + ss2 + (word ^ (words[j + 4] ?? 0))) | 0;
      const tt2 = (gg + h + ss1 + word) | 0;
      [a, b, c, d] = [tt1, a, rotl(b, 9), c];
      [e, f, g, h] = [tt2 ^ rotl(tt2, 9) ^ rotl(tt2, 17), e, rotl(f, 19), g];
    }
    this.set(...[a, b, c, d, e, f, g, h].map((word, index) => (this.#state[index] ?? 0) ^ word));
  }

  protected override get(): number[] {
    return [...this.#state];
  }

  protected override set(...words: number[]): void {
    this.#state.set(words);
  }

  protected override roundClean(): void {
    this.#words.fill(0);
  }

  override destroy(): void {
    this.#state.fill(0);
    this.#words.fill(0);
  }

  override _cloneInto(to: Sm3 = new Sm3()): Sm3 {
    to.set(...this.get());
    to.buffer.set(this.buffer);
    Object.assign(to, { length: this.length, pos: this.pos, finished: this.finished, destroyed: this.destroyed });
    return to;
  }
}

/** SM3 over the parts one after the other: 32 octets. */
export function portableSm3(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = new Sm3();
  for (const part of parts) hash.update(part);
  return hash.digest();
}
