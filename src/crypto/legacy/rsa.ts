/** RSA (RFC 8017) for estates from before the upgrade: keys, PKCS#1 v1.5 and PSS. Good-key checks: rsa-good-key.ts. */
import { constants, createSign, createVerify, generateKeyPair } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { KmcError } from '../../errors.ts';
import { decodeSequence, integer, readSmallInteger, readUnsignedInteger, sequence, TAG } from '../asn1/der.ts';
import { toBigInt } from '../bytes.ts';

/** Magnitudes, big-endian, without leading zeros. */
export interface RsaPublicKey {
  readonly n: Buffer;
  readonly e: Buffer;
}

/** The one public exponent that is accepted. */
export const RSA_PUBLIC_EXPONENT = 65_537;
const DEFAULT_BITS = 3072;
const GENERATED_BITS = { smallest: 2048, largest: 4096 } as const;
// What is looked at at all; what may be certified is narrower (rsa-good-key.ts).
const READABLE_BITS = { smallest: 1024, largest: 8192 } as const;
const LARGEST_OCTETS = READABLE_BITS.largest / 8;
const PSS_SALT_LENGTH = 32;

const generateKeyPairAsync = promisify(generateKeyPair);

/** The bit length of a magnitude. */
export function bitLength(magnitude: Buffer): number {
  const first = magnitude[0] ?? 0;
  return magnitude.length === 0 ? 0 : (magnitude.length - 1) * 8 + (32 - Math.clz32(first));
}

function assertReadable({ n, e }: RsaPublicKey): void {
  const bits = bitLength(n);
  const odd = ((n.at(-1) ?? 0) & 1) === 1;
  if (
    toBigInt(e) !== BigInt(RSA_PUBLIC_EXPONENT) ||
    !odd ||
    bits < READABLE_BITS.smallest ||
    bits > READABLE_BITS.largest
  ) {
    throw new KmcError(
      'E_KEY',
      'The RSA key is not acceptable: its exponent must be 65537 and its modulus odd, of 1024 to 8192 bits.',
    );
  }
}

/** RSAPublicKey ::= SEQUENCE { n, e } from DER. Throws `E_DER`; `E_KEY` for another exponent than 65537 or size. */
export function readRsaPublicKey(der: Buffer): RsaPublicKey {
  const fields = decodeSequence(der, 'RSAPublicKey', { maxDepth: 1 });
  const n = readUnsignedInteger(fields.next(TAG.integer, 'modulus'), LARGEST_OCTETS);
  const e = readUnsignedInteger(fields.next(TAG.integer, 'publicExponent'), LARGEST_OCTETS);
  fields.end('RSAPublicKey');
  assertReadable({ n, e });
  return { n, e };
}

/** RSAPublicKey in DER. */
export function encodeRsaPublicKey({ n, e }: RsaPublicKey): Buffer {
  return sequence(integer(n), integer(e));
}

const PRIVATE_FIELDS = [
  'modulus',
  'publicExponent',
  'privateExponent',
  'prime1',
  'prime2',
  'exponent1',
  'exponent2',
  'coefficient',
] as const;

/**
 * Checks an RSAPrivateKey (RFC 8017 A.1.2, two primes) in DER for agreement of all its numbers and returns the public
 * key. Throws `E_DER`, `E_KEY`.
 */
export function checkRsaPrivateKey(der: Buffer): RsaPublicKey {
  const fields = decodeSequence(der, 'RSAPrivateKey', { maxDepth: 1 });
  const version = readSmallInteger(fields.next(TAG.integer, 'version'));
  if (version !== 0) throw new KmcError('E_KEY', 'RSA private keys of more than two primes are not accepted.');
  const magnitudes = PRIVATE_FIELDS.map((name) => readUnsignedInteger(fields.next(TAG.integer, name), LARGEST_OCTETS));
  fields.end('RSAPrivateKey');
  const [modulus = Buffer.alloc(0), publicExponent = Buffer.alloc(0)] = magnitudes;
  const publicKey = { n: modulus, e: publicExponent };
  assertReadable(publicKey);
  const [n = 0n, e = 0n, d = 0n, p = 0n, q = 0n, dP = 0n, dQ = 0n, qInverse = 0n] = magnitudes.map(toBigInt);
  const agrees =
    p > 1n &&
    q > 1n &&
    p !== q &&
    p * q === n &&
    d < n &&
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    dP === d % (p - 1n) &&
    dQ === d % (q - 1n) &&
    qInverse < p &&
    (qInverse * q) % p === 1n;
  if (!agrees) throw new KmcError('E_KEY', 'The numbers of the RSA private key do not agree with each other.');
  return publicKey;
}

/**
 * A new key pair of 2048 to 4096 bits (3072 unless told), outside the event loop: plain PKCS#8 and SPKI in DER. The
 * caller wipes the first. Throws `E_USAGE` for another size.
 */
export async function generateRsaKey(bits: number = DEFAULT_BITS): Promise<{ pkcs8: Buffer; spki: Buffer }> {
  if (!Number.isInteger(bits) || bits < GENERATED_BITS.smallest || bits > GENERATED_BITS.largest || bits % 256 !== 0) {
    throw new KmcError('E_USAGE', 'An RSA key has 2048 to 4096 bits, in steps of 256.');
  }
  const { privateKey, publicKey } = await generateKeyPairAsync('rsa', {
    modulusLength: bits,
    publicExponent: RSA_PUBLIC_EXPONENT,
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
    publicKeyEncoding: { format: 'der', type: 'spki' },
  });
  return { pkcs8: privateKey, spki: publicKey };
}

/** How a signature is padded, and over which hash. */
export interface RsaScheme {
  readonly hash: 'sha256' | 'sha1';
  readonly padding: 'pkcs1' | 'pss';
}

const PADDINGS = {
  pkcs1: { padding: constants.RSA_PKCS1_PADDING },
  pss: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_LENGTH },
} as const;

/** Signs the whole `message`: the octets of the signature, as many as the modulus has. PSS takes a salt of 32 octets. */
export function signRsa(key: KeyObject, scheme: RsaScheme, message: Buffer): Buffer {
  return createSign(scheme.hash)
    .update(message)
    .sign({ key, ...PADDINGS[scheme.padding] });
}

/** Verifies a signature, which must be exactly as long as the modulus; never throws for a bad one. */
export function verifyRsa(
  key: KeyObject,
  publicKey: RsaPublicKey,
  scheme: RsaScheme,
  message: Buffer,
  signature: Buffer,
): boolean {
  return (
    signature.length === publicKey.n.length &&
    createVerify(scheme.hash)
      .update(message)
      .verify({ key, ...PADDINGS[scheme.padding] }, signature)
  );
}
