import { timingSafeEqual } from 'node:crypto';

/**
 * A zeroed Buffer of `length` octets outside Node's shared pool and outside V8's heap, so that wiping it leaves no copy
 * behind: `Buffer.alloc` puts up to 64 octets on the heap, where the garbage collector moves them and leaves the old
 * octets standing.
 */
export function secretBuffer(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}

/** The parts one after the other in a {@link secretBuffer}. */
export function concat(...parts: readonly Uint8Array[]): Buffer {
  const joined = secretBuffer(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Overwrites the Buffers with zeros. */
export function wipe(...buffers: readonly (Uint8Array | undefined)[]): void {
  for (const buffer of buffers) buffer?.fill(0);
}

/** Compares in time that depends on the lengths only; Buffers of different length are not equal. */
export function equalConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** True when every octet is zero; looks at all of them. */
export function isAllZero(bytes: Uint8Array): boolean {
  let union = 0;
  for (const octet of bytes) union |= octet;
  return union === 0;
}

/** The unsigned big-endian number in `bytes`; the empty Buffer is 0. */
export function toBigInt(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
}

/** `value` (not negative) as `length` octets, big-endian. Throws a RangeError, a defect, when it does not fit. */
export function fromBigInt(value: bigint, length: number): Buffer {
  const hex = value.toString(16).padStart(length * 2, '0');
  if (value < 0n || hex.length > length * 2) throw new RangeError(`The number does not fit ${length} octets.`);
  const bytes = secretBuffer(length);
  bytes.write(hex, 'hex');
  return bytes;
}
