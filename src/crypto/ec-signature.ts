/** The value SEQUENCE { r INTEGER, s INTEGER } of SM2 (GM/T 0009) and ECDSA (RFC 3279), and its raw form r || s. */
import { KmcError } from '../errors.ts';
import { decodeSequence, integer, readUnsignedInteger, sequence, TAG } from './asn1/der.ts';
import { concat, toBigInt } from './bytes.ts';

/** Octets of r and of s on the 256-bit curves used here. */
export const EC_SCALAR_LENGTH = 32;
const LONGEST_DER = 72;

export interface EcSignature {
  readonly r: bigint;
  readonly s: bigint;
}

/** r and s of a strict DER signature value with both in [1, order-1]; undefined for everything else. */
export function readEcSignature(signature: Buffer, order: bigint): EcSignature | undefined {
  try {
    const fields = decodeSequence(signature, 'the signature', { maxBytes: LONGEST_DER, maxDepth: 1 });
    const r = toBigInt(readUnsignedInteger(fields.next(TAG.integer, 'r'), EC_SCALAR_LENGTH));
    const s = toBigInt(readUnsignedInteger(fields.next(TAG.integer, 's'), EC_SCALAR_LENGTH));
    fields.end('the signature');
    return r > 0n && r < order && s > 0n && s < order ? { r, s } : undefined;
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

function padded(magnitude: Buffer): Buffer {
  return concat(Buffer.alloc(EC_SCALAR_LENGTH - magnitude.length), magnitude);
}

/** DER SEQUENCE { r, s } to r || s (64 octets). Throws `E_DER` for another structure or an integer above 32 octets. */
export function ecSignatureToRaw(signature: Buffer): Buffer {
  const fields = decodeSequence(signature, 'the signature', { maxBytes: LONGEST_DER, maxDepth: 1 });
  const r = readUnsignedInteger(fields.next(TAG.integer, 'r'), EC_SCALAR_LENGTH);
  const s = readUnsignedInteger(fields.next(TAG.integer, 's'), EC_SCALAR_LENGTH);
  fields.end('the signature');
  return concat(padded(r), padded(s));
}

/** r || s (64 octets) to DER SEQUENCE { r, s }. Throws `E_SIGNATURE` for another length. */
export function ecSignatureFromRaw(raw: Buffer): Buffer {
  if (raw.length !== 2 * EC_SCALAR_LENGTH) {
    throw new KmcError('E_SIGNATURE', `A raw signature has 64 octets; this one has ${raw.length}.`);
  }
  return sequence(integer(raw.subarray(0, EC_SCALAR_LENGTH)), integer(raw.subarray(EC_SCALAR_LENGTH)));
}
