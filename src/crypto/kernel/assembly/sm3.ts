/** SM3 (GB/T 32905) and the key derivation of SM2. No branch and no address depends on the content of a message. */
import { SM3_BLOCK, SM3_STATE, SM3_WORDS } from './layout';

const INITIAL: usize = memory.data<u32>(
  [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e],
  16,
);
/** T_j <<< (j mod 32) for each round j. */
const CONSTANTS: usize = memory.data<u32>(
  [
    0x79cc4519, 0xf3988a32, 0xe7311465, 0xce6228cb, 0x9cc45197, 0x3988a32f, 0x7311465e, 0xe6228cbc, 0xcc451979,
    0x988a32f3, 0x311465e7, 0x6228cbce, 0xc451979c, 0x88a32f39, 0x11465e73, 0x228cbce6, 0x9d8a7a87, 0x3b14f50f,
    0x7629ea1e, 0xec53d43c, 0xd8a7a879, 0xb14f50f3, 0x629ea1e7, 0xc53d43ce, 0x8a7a879d, 0x14f50f3b, 0x29ea1e76,
    0x53d43cec, 0xa7a879d8, 0x4f50f3b1, 0x9ea1e762, 0x3d43cec5, 0x7a879d8a, 0xf50f3b14, 0xea1e7629, 0xd43cec53,
    0xa879d8a7, 0x50f3b14f, 0xa1e7629e, 0x43cec53d, 0x879d8a7a, 0x0f3b14f5, 0x1e7629ea, 0x3cec53d4, 0x79d8a7a8,
    0xf3b14f50, 0xe7629ea1, 0xcec53d43, 0x9d8a7a87, 0x3b14f50f, 0x7629ea1e, 0xec53d43c, 0xd8a7a879, 0xb14f50f3,
    0x629ea1e7, 0xc53d43ce, 0x8a7a879d, 0x14f50f3b, 0x29ea1e76, 0x53d43cec, 0xa7a879d8, 0x4f50f3b1, 0x9ea1e762,
    0x3d43cec5,
  ],
  16,
);

/** Octets that stand in SM3_BLOCK, and of the whole message so far. */
let pending: u32 = 0;
let total: u64 = 0;

/** Begins a message. */
export function sm3Begin(): void {
  memory.copy(SM3_STATE, INITIAL, 32);
  pending = 0;
  total = 0;
}

/** The compression function CF over one block. */
function compress(block: usize): void {
  for (let j: usize = 0; j < 64; j += 4) store<u32>(SM3_WORDS + j, bswap<u32>(load<u32>(block + j)));
  for (let j: usize = 64; j < 272; j += 4) {
    const at: usize = SM3_WORDS + j;
    const x: u32 = load<u32>(at - 64) ^ load<u32>(at - 36) ^ rotl<u32>(load<u32>(at - 12), 15);
    const y: u32 = rotl<u32>(load<u32>(at - 52), 7) ^ load<u32>(at - 24);
    store<u32>(at, x ^ rotl<u32>(x, 15) ^ rotl<u32>(x, 23) ^ y);
  }
  let a: u32 = load<u32>(SM3_STATE, 0);
  let b: u32 = load<u32>(SM3_STATE, 4);
  let c: u32 = load<u32>(SM3_STATE, 8);
  let d: u32 = load<u32>(SM3_STATE, 12);
  let e: u32 = load<u32>(SM3_STATE, 16);
  let f: u32 = load<u32>(SM3_STATE, 20);
  let g: u32 = load<u32>(SM3_STATE, 24);
  let h: u32 = load<u32>(SM3_STATE, 28);
  let t: usize = CONSTANTS;
  let w: usize = SM3_WORDS;
  let s: u32;
  for (let j = 0; j < 16; j += 4) {
    s = rotl<u32>(rotl<u32>(a, 12) + e + load<u32>(t, 0), 7);
    d += (a ^ b ^ c) + (s ^ rotl<u32>(a, 12)) + (load<u32>(w, 0) ^ load<u32>(w, 16));
    h += (e ^ f ^ g) + s + load<u32>(w, 0);
    h ^= rotl<u32>(h, 9) ^ rotl<u32>(h, 17);
    b = rotl<u32>(b, 9);
    f = rotl<u32>(f, 19);
    s = rotl<u32>(rotl<u32>(d, 12) + h + load<u32>(t, 4), 7);
    c += (d ^ a ^ b) + (s ^ rotl<u32>(d, 12)) + (load<u32>(w, 4) ^ load<u32>(w, 20));
    g += (h ^ e ^ f) + s + load<u32>(w, 4);
    g ^= rotl<u32>(g, 9) ^ rotl<u32>(g, 17);
    a = rotl<u32>(a, 9);
    e = rotl<u32>(e, 19);
    s = rotl<u32>(rotl<u32>(c, 12) + g + load<u32>(t, 8), 7);
    b += (c ^ d ^ a) + (s ^ rotl<u32>(c, 12)) + (load<u32>(w, 8) ^ load<u32>(w, 24));
    f += (g ^ h ^ e) + s + load<u32>(w, 8);
    f ^= rotl<u32>(f, 9) ^ rotl<u32>(f, 17);
    d = rotl<u32>(d, 9);
    h = rotl<u32>(h, 19);
    s = rotl<u32>(rotl<u32>(b, 12) + f + load<u32>(t, 12), 7);
    a += (b ^ c ^ d) + (s ^ rotl<u32>(b, 12)) + (load<u32>(w, 12) ^ load<u32>(w, 28));
    e += (f ^ g ^ h) + s + load<u32>(w, 12);
    e ^= rotl<u32>(e, 9) ^ rotl<u32>(e, 17);
    c = rotl<u32>(c, 9);
    g = rotl<u32>(g, 19);
    t += 16;
    w += 16;
  }
  for (let j = 16; j < 64; j += 4) {
    s = rotl<u32>(rotl<u32>(a, 12) + e + load<u32>(t, 0), 7);
    d += ((a & b) | (a & c) | (b & c)) + (s ^ rotl<u32>(a, 12)) + (load<u32>(w, 0) ^ load<u32>(w, 16));
    h += ((e & f) | (~e & g)) + s + load<u32>(w, 0);
    h ^= rotl<u32>(h, 9) ^ rotl<u32>(h, 17);
    b = rotl<u32>(b, 9);
    f = rotl<u32>(f, 19);
    s = rotl<u32>(rotl<u32>(d, 12) + h + load<u32>(t, 4), 7);
    c += ((d & a) | (d & b) | (a & b)) + (s ^ rotl<u32>(d, 12)) + (load<u32>(w, 4) ^ load<u32>(w, 20));
    g += ((h & e) | (~h & f)) + s + load<u32>(w, 4);
    g ^= rotl<u32>(g, 9) ^ rotl<u32>(g, 17);
    a = rotl<u32>(a, 9);
    e = rotl<u32>(e, 19);
    s = rotl<u32>(rotl<u32>(c, 12) + g + load<u32>(t, 8), 7);
    b += ((c & d) | (c & a) | (d & a)) + (s ^ rotl<u32>(c, 12)) + (load<u32>(w, 8) ^ load<u32>(w, 24));
    f += ((g & h) | (~g & e)) + s + load<u32>(w, 8);
    f ^= rotl<u32>(f, 9) ^ rotl<u32>(f, 17);
    d = rotl<u32>(d, 9);
    h = rotl<u32>(h, 19);
    s = rotl<u32>(rotl<u32>(b, 12) + f + load<u32>(t, 12), 7);
    a += ((b & c) | (b & d) | (c & d)) + (s ^ rotl<u32>(b, 12)) + (load<u32>(w, 12) ^ load<u32>(w, 28));
    e += ((f & g) | (~f & h)) + s + load<u32>(w, 12);
    e ^= rotl<u32>(e, 9) ^ rotl<u32>(e, 17);
    c = rotl<u32>(c, 9);
    g = rotl<u32>(g, 19);
    t += 16;
    w += 16;
  }

  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 0) ^ a, 0);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 4) ^ b, 4);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 8) ^ c, 8);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 12) ^ d, 12);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 16) ^ e, 16);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 20) ^ f, 20);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 24) ^ g, 24);
  store<u32>(SM3_STATE, load<u32>(SM3_STATE, 28) ^ h, 28);
}

/** Goes on with `length` octets of the message. */
export function sm3Append(octets: usize, length: u32): void {
  total += length;
  if (pending > 0) {
    const taken: u32 = min<u32>(64 - pending, length);
    memory.copy(SM3_BLOCK + pending, octets, taken);
    pending += taken;
    octets += taken;
    length -= taken;
    if (pending < 64) return;
    compress(SM3_BLOCK);
    pending = 0;
  }
  for (; length >= 64; length -= 64) {
    compress(octets);
    octets += 64;
  }
  memory.copy(SM3_BLOCK, octets, length);
  pending = length;
}

/** Ends the message and writes its digest, 32 octets. */
export function sm3End(digest: usize): void {
  store<u8>(SM3_BLOCK + pending, 0x80);
  pending++;
  if (pending > 56) {
    memory.fill(SM3_BLOCK + pending, 0, 64 - pending);
    compress(SM3_BLOCK);
    pending = 0;
  }
  memory.fill(SM3_BLOCK + pending, 0, 56 - pending);
  store<u64>(SM3_BLOCK, bswap<u64>(total << 3), 56);
  compress(SM3_BLOCK);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(digest + i, bswap<u32>(load<u32>(SM3_STATE + i)));
}

/**
 * Adds the key stream KDF(z, length) to `octets` in place, z being one block of 64 octets: SM3(z || ct) for ct = 1, 2 ...
 * The mask says that the stream was all zero. The state of SM3 and `spare`, 64 octets, are overwritten.
 */
export function addKeyStream(octets: usize, length: u32, z: usize, spare: usize): i64 {
  let union: u32 = 0;
  for (let at: u32 = 0, ct: u32 = 1; at < length; at += 32, ct++) {
    sm3Begin();
    sm3Append(z, 64);
    store<u32>(spare, bswap<u32>(ct), 32);
    sm3Append(spare + 32, 4);
    sm3End(spare);
    const count: u32 = min<u32>(32, length - at);
    for (let i: u32 = 0; i < count; i++) {
      const stream: u32 = load<u8>(spare + i);
      union |= stream;
      store<u8>(octets + at + i, load<u8>(octets + at + i) ^ <u8>stream);
    }
  }
  return <i64>((union | -union) >> 31) - 1;
}
