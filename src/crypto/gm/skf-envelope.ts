/**
 * ENVELOPEDKEYBLOB (GM/T 0016), which SKF tokens import: 388 octets, packed, integers of 32 bits little-endian. Products
 * follow one of two conventions for cbEncryptedPriKey, 64 octets: 32 zero octets before SM4-ECB(d), or SM4-ECB over 32
 * zero octets and d.
 */
import { KmcError } from '../../errors.ts';
import { concat, isAllZero } from '../bytes.ts';
import { SCALAR_PADDING, bareScalarOf, type KeyEnvelope } from './key-envelope.ts';
import { decodeSm2Ciphertext, encodeSm2Ciphertext } from './sm2-ciphertext.ts';
import { SM2_FIELD_LENGTH } from './sm2-curve.ts';
import { SM4_KEY_LENGTH } from './sm4.ts';

/** `A`: zeros, then SM4-ECB(d). `B`: SM4-ECB of zeros and d. */
export type SkfConvention = 'A' | 'B';

export const SKF_ENVELOPE_LENGTH = 388;

const VERSION = 1;
/** SGD_SM4_ECB (GM/T 0006). */
const SGD_SM4_ECB = 0x401;
const BITS = 256;
/** Where cbEncryptedPriKey stands. */
const ENCRYPTED_AT = 12;
/** Octets of ECCPUBLICKEYBLOB and ECCCIPHERBLOB that hold a coordinate: right-aligned. */
const COORDINATE = 64;
const UNCOMPRESSED = Buffer.from([4]);

function u32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(value);
  return octets;
}

function rightAligned(value: Buffer): Buffer {
  return concat(Buffer.alloc(COORDINATE - value.length), value);
}

function coordinates(point: Buffer): Buffer {
  return concat(
    rightAligned(point.subarray(1, 1 + SM2_FIELD_LENGTH)),
    rightAligned(point.subarray(1 + SM2_FIELD_LENGTH)),
  );
}

/**
 * The blob of an envelope. @throws KmcError E_USAGE: convention B needs an envelope with encrypted padding, and no
 * convention fits one with PKCS#7 padding; E_DER for a wrapped key of another length than an SM4 key.
 */
export function encodeSkfEnvelope(envelope: KeyEnvelope, convention: SkfConvention): Buffer {
  const { c1, c2, c3 } = decodeSm2Ciphertext(envelope.wrappedKey);
  if (c2.length !== SM4_KEY_LENGTH) throw malformed();
  const bare = bareScalarOf(envelope);
  if (convention === 'B' && envelope.encryptedScalar.length !== COORDINATE) {
    throw new KmcError('E_USAGE', 'Convention B of GM/T 0016 cannot be made of an envelope without encrypted padding.');
  }
  return concat(
    u32(VERSION),
    u32(SGD_SM4_ECB),
    u32(BITS),
    convention === 'A' ? concat(SCALAR_PADDING, bare) : envelope.encryptedScalar,
    u32(BITS),
    coordinates(envelope.point),
    coordinates(c1),
    c3,
    u32(c2.length),
    c2,
  );
}

/** Reads fields of the blob one after the other. */
class BlobFields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(expected: number): void {
    if (this.take(4).readUInt32LE() !== expected) throw malformed();
  }

  point(): Buffer {
    const [x, y] = [this.take(COORDINATE), this.take(COORDINATE)];
    const padding = COORDINATE - SM2_FIELD_LENGTH;
    if (!isAllZero(x.subarray(0, padding)) || !isAllZero(y.subarray(0, padding))) throw malformed();
    return concat(UNCOMPRESSED, x.subarray(padding), y.subarray(padding));
  }
}

/**
 * The convention of a blob by its looks: leading zeros mean A, which chance gives to a blob of B once in 2^256.
 * @throws KmcError E_DER for octets of another length.
 */
export function skfConventionOf(blob: Buffer): SkfConvention {
  if (blob.length !== SKF_ENVELOPE_LENGTH) throw malformed();
  return isAllZero(blob.subarray(ENCRYPTED_AT, ENCRYPTED_AT + SM2_FIELD_LENGTH)) ? 'A' : 'B';
}

/**
 * Reads a blob of either convention, see `skfConventionOf`.
 * @throws KmcError E_DER when it has another length, version, algorithm, size or padding.
 */
export function parseSkfEnvelope(blob: Buffer): KeyEnvelope {
  if (blob.length !== SKF_ENVELOPE_LENGTH) throw malformed();
  const fields = new BlobFields(blob);
  fields.number(VERSION);
  fields.number(SGD_SM4_ECB);
  fields.number(BITS);
  const encrypted = fields.take(COORDINATE);
  fields.number(BITS);
  const point = fields.point();
  const c1 = fields.point();
  const c3 = fields.take(32);
  fields.number(SM4_KEY_LENGTH);
  const c2 = fields.take(SM4_KEY_LENGTH);
  return {
    point,
    wrappedKey: encodeSm2Ciphertext({ c1, c2, c3 }),
    encryptedScalar: skfConventionOf(blob) === 'A' ? encrypted.subarray(SM2_FIELD_LENGTH) : encrypted,
  };
}

function malformed(): KmcError {
  return new KmcError('E_DER', 'This is not an ENVELOPEDKEYBLOB of GM/T 0016 with an SM2 key under SM4-ECB.');
}
