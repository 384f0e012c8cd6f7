/**
 * Blob suite 1, the form of everything that is stored under a key-encryption key: encrypt-then-MAC from HKDF-SM3,
 * SM4-CTR and HMAC-SM3 with a fresh salt for each blob. The header is authenticated and enters the key derivation, so a
 * blob opens only as what it was sealed as, and both sub-keys are committed to by the full tag.
 */
import { KmcError } from '../errors.ts';
import { concat, isAllZero } from './bytes.ts';
import { decryptAfterMac, encryptThenMac, SALT_LENGTH, TAG_LENGTH } from './encrypt-then-mac.ts';
import { randomBytes } from './random.ts';

/** What a blob says of itself; all of it is authenticated. */
export interface BlobHeader {
  /** Purpose of the key-encryption key, one octet (`KEK_PURPOSES`). */
  readonly purpose: number;
  /** Version of the key-encryption key, 32 bits. */
  readonly kekVersion: number;
  /** `^[a-z0-9][a-z0-9-]{0,63}$` */
  readonly keyId: string;
  /** `^[a-z0-9][a-z0-9-]{0,31}$` */
  readonly usage: string;
  readonly objectVersion: number;
  /** Kind of the content, 16 bits. */
  readonly algorithm: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** The part of the header that the opener must already know. */
export interface ExpectedBlobHeader extends Omit<BlobHeader, 'createdAt' | 'algorithm'> {
  /** The kinds of content that the opener takes: a blob of any other kind stays shut. */
  readonly algorithms: readonly number[];
}

export interface OpenedBlob {
  readonly algorithm: number;
  /** A Buffer of its own, which the caller wipes. */
  readonly content: Buffer;
}

export const MAX_BLOB_CONTENT = 1_048_576;

const MAGIC = Buffer.from('KMC1', 'latin1');
const SUITE = 1;
const KEK_BYTES = 32;
const MAX_HEADER_BYTES = 128;
/** Of a header without its two texts. */
const FIXED_HEADER_BYTES = 32;
// The header starts with the magic(4), suite(1), purpose(1), kekVersion(4).
const KEK_VERSION_AT = 6;
// The header ends with algorithm(2), createdAt(8), ptLen(4).
const ALGORITHM_FROM_END = 14;
const CREATED_AT_FROM_END = 12;
const INFO = Buffer.from('KMC1/blob', 'latin1');
const KEY_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const USAGE = /^[a-z0-9][a-z0-9-]{0,31}$/;
const NOT_OPENED =
  'The sealed blob does not open: it is damaged, or it was sealed under another key or for another use.';

/**
 * Seals `content` (at most 1 MiB, may be empty) under a 32-octet key-encryption key.
 * @param salt 16 fresh random octets; given only where known answers are computed.
 * @throws KmcError E_KEY (key-encryption key of another length or all zero), E_SIZE, E_ID, E_SCHEMA (header field).
 */
export function sealBlob(
  keyEncryptionKey: Buffer,
  header: BlobHeader,
  content: Buffer,
  salt: Buffer = randomBytes(SALT_LENGTH),
): Buffer {
  checkKeyEncryptionKey(keyEncryptionKey);
  if (content.length > MAX_BLOB_CONTENT) throw new KmcError('E_SIZE', 'A sealed blob holds at most 1 MiB.');
  if (salt.length !== SALT_LENGTH) throw new KmcError('E_SCHEMA', 'The salt of a blob is 16 octets.');
  const head = encodeHeader(header, content.length);
  const sealed = encryptThenMac({ key: keyEncryptionKey, salt, info: concat(INFO, head) }, head, content);
  return concat(head, salt, sealed);
}

/**
 * Opens a blob that must be exactly what `expected` says, under the key that `expected` names by purpose and version.
 * @throws KmcError E_KEY (as sealBlob), E_SUITE (suite octet is not 1), E_SIZE (longer than any blob); E_BLOB_AUTH for
 * every other failure, with one text.
 */
export function openBlob(keyEncryptionKey: Buffer, expected: ExpectedBlobHeader, blob: Buffer): OpenedBlob {
  checkKeyEncryptionKey(keyEncryptionKey);
  if (blob.length > MAX_HEADER_BYTES + SALT_LENGTH + MAX_BLOB_CONTENT + TAG_LENGTH) {
    throw new KmcError('E_SIZE', 'The blob is longer than any sealed blob can be.');
  }
  if (blob.length <= MAGIC.length || !blob.subarray(0, MAGIC.length).equals(MAGIC)) throw blobNotOpened();
  if (blob[MAGIC.length] !== SUITE) {
    throw new KmcError(
      'E_SUITE',
      'The blob is of a suite that this program does not know; use the version that made it.',
    );
  }
  const head = readExpectedHeader(expected, blob);
  const salt = blob.subarray(head.length, head.length + SALT_LENGTH);
  const under = { key: keyEncryptionKey, salt, info: concat(INFO, head) };
  const content = decryptAfterMac(under, head, blob.subarray(head.length + SALT_LENGTH));
  if (content === undefined) throw blobNotOpened();
  return { algorithm: head.readUInt16BE(head.length - ALGORITHM_FROM_END), content };
}

/**
 * The version of the key-encryption key that a blob names, so that the opener can pick the key. Nothing is proved by it:
 * the version is authenticated when the blob opens under exactly that key.
 * @throws KmcError E_BLOB_AUTH when it is no blob of suite 1.
 */
export function kekVersionOf(blob: Buffer): number {
  const isSuite = blob.subarray(0, MAGIC.length).equals(MAGIC) && blob[MAGIC.length] === SUITE;
  if (blob.length < KEK_VERSION_AT + 4 || !isSuite) throw blobNotOpened();
  return blob.readUInt32BE(KEK_VERSION_AT);
}

/** The header's octets up to and with ptLen, after a check that they are what the opener expects. */
function readExpectedHeader(expected: ExpectedBlobHeader, blob: Buffer): Buffer {
  const length = encodeHeader({ ...expected, algorithm: 0, createdAt: 0 }, 0).length;
  const contentLength = blob.length - length - SALT_LENGTH - TAG_LENGTH;
  if (contentLength < 0 || contentLength > MAX_BLOB_CONTENT) throw blobNotOpened();
  const algorithm = blob.readUInt16BE(length - ALGORITHM_FROM_END);
  const createdAt = blob.readBigUInt64BE(length - CREATED_AT_FROM_END);
  if (!expected.algorithms.includes(algorithm) || createdAt > BigInt(Number.MAX_SAFE_INTEGER)) throw blobNotOpened();
  const wanted = encodeHeader({ ...expected, algorithm, createdAt: Number(createdAt) }, contentLength);
  const found = blob.subarray(0, length);
  if (!found.equals(wanted)) throw blobNotOpened();
  return found;
}

function encodeHeader(header: BlobHeader, contentLength: number): Buffer {
  if (!KEY_ID.test(header.keyId)) throw new KmcError('E_ID', 'The key id of a blob has a form that is not allowed.');
  if (!USAGE.test(header.usage)) throw new KmcError('E_ID', 'The usage of a blob has a form that is not allowed.');
  const { keyId, usage } = header;
  const head = Buffer.alloc(FIXED_HEADER_BYTES + keyId.length + usage.length);
  let at = MAGIC.copy(head);
  const number = (value: number, octets: number): void => {
    writeUnsigned(head, at, value, octets);
    at += octets;
  };
  const text = (value: string): void => {
    number(value.length, 2);
    at += head.write(value, at, 'latin1');
  };
  number(SUITE, 1);
  number(header.purpose, 1);
  number(header.kekVersion, 4);
  text(keyId);
  text(usage);
  number(header.objectVersion, 4);
  number(header.algorithm, 2);
  number(header.createdAt, 8);
  number(contentLength, 4);
  return head;
}

function writeUnsigned(target: Buffer, at: number, value: number, octets: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * octets)) {
    throw new KmcError('E_SCHEMA', 'A number in the header of a blob is out of range.');
  }
  // writeUIntBE takes up to six octets; a safe integer has at most 53 bits.
  const short = Math.min(octets, 6);
  const above = octets - short;
  if (above > 0) target.writeUIntBE(Math.floor(value / 2 ** 48), at, above);
  target.writeUIntBE(value % 2 ** (8 * short), at + above, short);
}

function checkKeyEncryptionKey(keyEncryptionKey: Buffer): void {
  if (keyEncryptionKey.length !== KEK_BYTES || isAllZero(keyEncryptionKey)) {
    throw new KmcError('E_KEY', 'A key-encryption key is 32 octets and not all zero.');
  }
}

/** The one error for a blob that does not open, whatever the reason. */
export function blobNotOpened(): KmcError {
  return new KmcError('E_BLOB_AUTH', NOT_OPENED);
}
