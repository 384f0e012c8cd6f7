/**
 * EncryptedPrivateKeyInfo (RFC 5958) with PBES2 (RFC 8018, GM/T 0091). Two shapes are written: the one GmSSL reads and
 * writes, and one for OpenSSL; both and their neighbours are read.
 */
import { createCipheriv, createDecipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { KmcError } from '../errors.ts';
import {
  cursor,
  decodeDer,
  decodeSequence,
  integer,
  nullValue,
  octetString,
  oid,
  readOctetString,
  readOid,
  readSmallInteger,
  sequence,
  TAG,
} from './asn1/der.ts';
import type { DerElement } from './asn1/der.ts';
import { OID } from './asn1/oids.ts';
import { concat, wipe } from './bytes.ts';
import { randomBytes } from './random.ts';

const pbkdf2Async = promisify(pbkdf2);

/** The hashes of the PBKDF2 pseudo-random functions by OID. HMAC-SM3 has two OIDs in the field. */
const PRF_HASHES: ReadonlyMap<string, string> = new Map([
  [OID.hmacSm3, 'sm3'],
  [OID.hmacWithSm3, 'sm3'],
  [OID.hmacWithSha256, 'sha256'],
  [OID.hmacWithSha384, 'sha384'],
  [OID.hmacWithSha512, 'sha512'],
]);
// PBKDF2-params: prf DEFAULT hmacWithSHA1, which DER therefore never writes.
const DEFAULT_PRF_HASH = 'sha1';

interface Cipher {
  readonly oid: string;
  readonly name: string;
  readonly keyLength: number;
}
const CIPHERS: readonly Cipher[] = [
  { oid: OID.sm4Cbc, name: 'sm4-cbc', keyLength: 16 },
  { oid: OID.aes128Cbc, name: 'aes-128-cbc', keyLength: 16 },
  { oid: OID.aes192Cbc, name: 'aes-192-cbc', keyLength: 24 },
  { oid: OID.aes256Cbc, name: 'aes-256-cbc', keyLength: 32 },
];

interface Shape {
  readonly prf: Buffer;
  readonly hash: string;
  readonly iterations: number;
  /** keyLength of PBKDF2-params in DER, or nothing. */
  readonly keyLength: Buffer;
  readonly cipher: Cipher;
}
const NOTHING = Buffer.alloc(0);
/** The shapes by name. GmSSL takes no NULL in prf and 10000 to 16777215 iterations. */
const SHAPES = {
  gmssl: {
    prf: sequence(oid(OID.hmacSm3)),
    hash: 'sm3',
    iterations: 65_536,
    keyLength: integer(16),
    cipher: { oid: OID.sm4Cbc, name: 'sm4-cbc', keyLength: 16 },
  },
  openssl: {
    prf: sequence(oid(OID.hmacWithSha256), nullValue()),
    hash: 'sha256',
    iterations: 600_000,
    keyLength: NOTHING,
    cipher: { oid: OID.aes256Cbc, name: 'aes-256-cbc', keyLength: 32 },
  },
} as const satisfies Record<string, Shape>;
export type Pkcs8Shape = keyof typeof SHAPES;

const SALT_LENGTH = 16;
const LONGEST_SALT = 1024;
const IV_LENGTH = 16;
const MOST_ITERATIONS = 10_000_000;
const LONGEST_PASSPHRASE = 1024;
const LARGEST_FILE = 16_384;

interface Parameters {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly hash: string;
  readonly cipher: Cipher;
  readonly iv: Buffer;
}

function unsupported(what: string): KmcError {
  return new KmcError('E_DER', `The key file uses ${what} that is not supported; write it anew with PBES2.`);
}

function wrongPassphrase(cause?: unknown): KmcError {
  return new KmcError(
    'E_PASSPHRASE',
    'The passphrase does not open the key file, or the file is damaged.',
    cause === undefined ? {} : { cause },
  );
}

function readPrf(element: DerElement | undefined): string {
  if (element === undefined) return DEFAULT_PRF_HASH;
  const fields = cursor(element);
  const hash = PRF_HASHES.get(readOid(fields.next(TAG.oid, 'prf')));
  fields.optional(TAG.null);
  fields.end('prf');
  if (hash === undefined) throw unsupported('a pseudo-random function');
  return hash;
}

/** A SEQUENCE { OID, parameters } whose OID must be one of `accepted`; returns the parameters. */
function readAlgorithm(element: DerElement, accepted: readonly string[], what: string): DerElement {
  const fields = cursor(element);
  const algorithm = readOid(fields.next(TAG.oid, what));
  if (!accepted.includes(algorithm)) throw unsupported(what);
  const parameters = fields.next(TAG.sequence, what);
  fields.end(what);
  return parameters;
}

function readCipher(element: DerElement): { cipher: Cipher; iv: Buffer } {
  const fields = cursor(element);
  const algorithm = readOid(fields.next(TAG.oid, 'encryptionScheme'));
  const cipher = CIPHERS.find((entry) => entry.oid === algorithm);
  if (cipher === undefined) throw unsupported('a cipher');
  const iv = readOctetString(fields.next(TAG.octetString, 'the initialization vector'));
  fields.end('encryptionScheme');
  if (iv.length !== IV_LENGTH) throw new KmcError('E_DER', 'The initialization vector must have 16 octets.');
  return { cipher, iv };
}

function readParameters(element: DerElement): Parameters {
  const pbes2 = cursor(readAlgorithm(element, [OID.pbes2, OID.gmPbes], 'an encryption scheme'));
  const derivation = pbes2.next(TAG.sequence, 'keyDerivationFunc');
  const { cipher, iv } = readCipher(pbes2.next(TAG.sequence, 'encryptionScheme'));
  pbes2.end('PBES2-params');
  const fields = cursor(readAlgorithm(derivation, [OID.pbkdf2, OID.gmPbkdf], 'a key derivation'));
  const salt = readOctetString(fields.next(TAG.octetString, 'salt'));
  const iterations = readSmallInteger(fields.next(TAG.integer, 'iterationCount'));
  const keyLength = fields.optional(TAG.integer);
  const hash = readPrf(fields.optional(TAG.sequence));
  fields.end('PBKDF2-params');
  if (salt.length === 0 || salt.length > LONGEST_SALT) throw new KmcError('E_DER', 'The salt has no allowed length.');
  if (iterations < 1 || iterations > MOST_ITERATIONS) {
    throw new KmcError('E_DER', `The iteration count must be 1 to ${MOST_ITERATIONS}.`);
  }
  if (keyLength !== undefined && readSmallInteger(keyLength) !== cipher.keyLength) {
    throw new KmcError('E_DER', 'The key length does not fit the cipher.');
  }
  return { salt, iterations, hash, cipher, iv };
}

function assertPassphrase(passphrase: Buffer): void {
  if (passphrase.length === 0 || passphrase.length > LONGEST_PASSPHRASE) {
    throw new KmcError('E_PASSPHRASE', `A passphrase has 1 to ${LONGEST_PASSPHRASE} octets.`);
  }
}

/** Deciphers, and refuses what is not one DER SEQUENCE: a wrong key passes the padding once in 256 times. */
function decipher({ cipher, iv }: Parameters, key: Buffer, ciphertext: Buffer): Buffer {
  const operation = createDecipheriv(cipher.name, key, iv);
  const head = operation.update(ciphertext);
  let tail: Buffer | undefined;
  let plain: Buffer | undefined;
  try {
    tail = operation.final();
    plain = concat(head, tail);
    if (decodeDer(plain).tag !== TAG.sequence) throw wrongPassphrase();
    return plain;
  } catch (cause) {
    wipe(plain);
    throw wrongPassphrase(cause);
  } finally {
    wipe(head, tail);
  }
}

/**
 * Opens an EncryptedPrivateKeyInfo (DER): the plain PrivateKeyInfo, not yet checked (`parsePkcs8` does), which the
 * caller wipes. PBKDF2 with HMAC-SM3, SHA-1, SHA-256, SHA-384 or SHA-512 in 1 to 10^7 iterations, with SM4-CBC or
 * AES-CBC. Throws `E_DER` for another structure or scheme, `E_SIZE`, `E_PASSPHRASE`.
 */
export async function decryptPkcs8(encrypted: Buffer, passphrase: Buffer): Promise<Buffer> {
  assertPassphrase(passphrase);
  const fields = decodeSequence(encrypted, 'EncryptedPrivateKeyInfo', { maxBytes: LARGEST_FILE });
  const parameters = readParameters(fields.next(TAG.sequence, 'encryptionAlgorithm'));
  const ciphertext = readOctetString(fields.next(TAG.octetString, 'encryptedData'));
  fields.end('EncryptedPrivateKeyInfo');
  const { salt, iterations, hash, cipher } = parameters;
  const key = await pbkdf2Async(passphrase, salt, iterations, cipher.keyLength, hash);
  try {
    return decipher(parameters, key, ciphertext);
  } finally {
    wipe(key);
  }
}

/**
 * Encrypts a plain PrivateKeyInfo under a passphrase (1 to 1024 octets): EncryptedPrivateKeyInfo in DER. `gmssl` is
 * PBKDF2-HMAC-SM3 in 65536 iterations with SM4-CBC, `openssl` PBKDF2-HMAC-SHA256 in 600000 with AES-256-CBC. Throws
 * `E_PASSPHRASE`.
 */
export async function encryptPkcs8(plain: Buffer, passphrase: Buffer, shape: Pkcs8Shape = 'gmssl'): Promise<Buffer> {
  assertPassphrase(passphrase);
  const { prf, hash, iterations, keyLength, cipher } = SHAPES[shape];
  const salt = randomBytes(SALT_LENGTH);
  const iv = randomBytes(IV_LENGTH);
  const key = await pbkdf2Async(passphrase, salt, iterations, cipher.keyLength, hash);
  try {
    const operation = createCipheriv(cipher.name, key, iv);
    const ciphertext = concat(operation.update(plain), operation.final());
    const derivation = sequence(oid(OID.pbkdf2), sequence(octetString(salt), integer(iterations), keyLength, prf));
    const scheme = sequence(oid(cipher.oid), octetString(iv));
    return sequence(sequence(oid(OID.pbes2), sequence(derivation, scheme)), octetString(ciphertext));
  } finally {
    wipe(key);
  }
}
