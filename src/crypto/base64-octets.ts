/** Base64 (RFC 4648 section 4) of secrets: in Buffers that can be wiped, where Node's own makes a string. */
import { secretBuffer } from './bytes.ts';

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1');
const PAD = 0x3d;

/** The octets in base64 with padding, as ASCII. */
export function encodeBase64(octets: Uint8Array): Buffer {
  const text = secretBuffer(Math.ceil(octets.length / 3) * 4);
  for (let at = 0, to = 0; at < octets.length; at += 3, to += 4) {
    const group = ((octets[at] ?? 0) << 16) | ((octets[at + 1] ?? 0) << 8) | (octets[at + 2] ?? 0);
    for (let digit = 0; digit < 4; digit += 1) {
      const isPad = digit > octets.length - at;
      text[to + digit] = isPad ? PAD : (ALPHABET[(group >> (18 - 6 * digit)) & 63] ?? 0);
    }
  }
  return text;
}
