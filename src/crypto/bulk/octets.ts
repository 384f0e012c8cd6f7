/** Octet strings as one block: a view into a larger buffer would travel to another thread with all of that buffer. */
import { concat } from '../bytes.ts';

export interface PackedOctets {
  readonly octets: Uint8Array;
  readonly lengths: readonly number[];
}

/** Packs copies of the parts. */
export function packOctets(parts: readonly Buffer[]): PackedOctets {
  return { octets: concat(...parts), lengths: parts.map((part) => part.length) };
}

/** Views of the parts. */
export function unpackOctets({ octets, lengths }: PackedOctets): Buffer[] {
  const whole = asBuffer(octets);
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return whole.subarray(at - length, at);
  });
}

/** What a Buffer has become on its way between threads, as a Buffer again. */
export function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
}
