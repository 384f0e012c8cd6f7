/**
 * Data ciphertexts: what a managed key encrypts for an application. Each names its key and version, and is bound to them
 * and to the context that the caller gives again to decrypt; the context itself does not stand in it.
 *
 *     head = "KMD1" | form(1) | keyIdLength(1) | keyId | keyVersion(4) | form 2: length(2) | SM2Cipher
 *     head | salt(16) | SM4-CTR ciphertext | tag(32)
 *
 * The message keys come from HKDF-SM3(key, salt, "KMD1/data" | SM3(head | SM3(context))); head and SM3(context) enter the
 * tag too. Form 1: the key is a symmetric one (16 to 1024 octets). Form 2: it is 32 fresh octets, encrypted to the SM2 key.
 */
import { KmcError } from '../errors.ts';
import { concat, wipe } from './bytes.ts';
import { decryptAfterMac, encryptThenMac, SALT_LENGTH, TAG_LENGTH } from './encrypt-then-mac.ts';
import { decryptSm2, encryptSm2 } from './gm/sm2-encrypt.ts';
import { sm3 } from './gm/sm3.ts';
import { randomBytes } from './random.ts';

/** What a ciphertext is bound to. */
export interface DataLabel {
  /** `^[a-z0-9][a-z0-9-]{0,63}$` */
  readonly keyId: string;
  /** 32 bits. */
  readonly keyVersion: number;
  /** Any octets. */
  readonly context: Buffer;
}

/** The key and version that a ciphertext names. */
export type DataKeyName = Pick<DataLabel, 'keyId' | 'keyVersion'>;

/** Octets of content at the most. */
export const MAX_DATA_LENGTH = 1_048_576;

const MAGIC = Buffer.from('KMD1', 'latin1');
const INFO = Buffer.from('KMD1/data', 'latin1');
const SYMMETRIC_FORM = 1;
const SM2_FORM = 2;
const EPHEMERAL_LENGTH = 32;
const KEY_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const KEY_ID_AT = MAGIC.length + 2;
const LONGEST_HEAD = 512;

/** The one error for a ciphertext that does not decrypt, whatever the reason. */
export function dataNotDecrypted(): KmcError {
  return new KmcError(
    'E_DECRYPT',
    'The ciphertext does not decrypt: it is damaged, or of another key, version or context.',
  );
}

function headOf({ keyId, keyVersion }: DataKeyName, form: number, wrapped?: Buffer): Buffer {
  if (!KEY_ID.test(keyId)) throw new KmcError('E_ID', 'The key id of a ciphertext has a form that is not allowed.');
  if (!Number.isInteger(keyVersion) || keyVersion < 0 || keyVersion > 0xffff_ffff) {
    throw new KmcError('E_SCHEMA', 'The key version of a ciphertext is a number of 32 bits.');
  }
  const name = Buffer.from(keyId, 'latin1');
  const version = Buffer.alloc(4);
  version.writeUInt32BE(keyVersion);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(wrapped?.length ?? 0);
  const own = wrapped === undefined ? [] : [length, wrapped];
  return concat(MAGIC, Buffer.from([form, name.length]), name, version, ...own);
}

function messageKey(key: Buffer, salt: Buffer, head: Buffer): Parameters<typeof encryptThenMac>[0] {
  return { key, salt, info: concat(INFO, sm3(head)) };
}

function seal(key: Buffer, head: Buffer, context: Buffer, content: Buffer): Buffer {
  if (content.length > MAX_DATA_LENGTH) throw new KmcError('E_SIZE', 'A ciphertext holds at most 1 MiB.');
  const bound = concat(head, sm3(context));
  const salt = randomBytes(SALT_LENGTH);
  return concat(head, salt, encryptThenMac(messageKey(key, salt, bound), bound, content));
}

function open(key: Buffer, head: Buffer, context: Buffer, ciphertext: Buffer): Buffer {
  const salt = ciphertext.subarray(head.length, head.length + SALT_LENGTH);
  const bound = concat(head, sm3(context));
  const sealed = ciphertext.subarray(head.length + SALT_LENGTH);
  const content = decryptAfterMac(messageKey(key, Buffer.from(salt), bound), bound, sealed);
  if (content === undefined) throw dataNotDecrypted();
  return content;
}

/** Encrypts `content` (at most 1 MiB, may be empty) under a symmetric key. @throws KmcError E_ID, E_SCHEMA, E_SIZE. */
export function encryptData(key: Buffer, label: DataLabel, content: Buffer): Buffer {
  return seal(key, headOf(label, SYMMETRIC_FORM), label.context, content);
}

/** Encrypts `content` to a public SM2 point (65 octets). @throws KmcError E_ID, E_SCHEMA, E_SIZE, E_POINT. */
export function encryptDataToSm2(point: Buffer, label: DataLabel, content: Buffer): Buffer {
  const ephemeral = randomBytes(EPHEMERAL_LENGTH);
  try {
    return seal(ephemeral, headOf(label, SM2_FORM, encryptSm2(point, ephemeral)), label.context, content);
  } finally {
    wipe(ephemeral);
  }
}

/** Checks what a ciphertext must be long before any key is used. */
function requireForm(ciphertext: Buffer, head: Buffer): void {
  const least = head.length + SALT_LENGTH + TAG_LENGTH;
  const isWhole = ciphertext.length >= least && ciphertext.length <= least + MAX_DATA_LENGTH;
  if (!isWhole || !ciphertext.subarray(0, head.length).equals(head)) throw dataNotDecrypted();
}

/** The reverse of {@link encryptData}; the caller wipes what it gets. @throws KmcError E_DECRYPT, with one text. */
export function decryptData(key: Buffer, label: DataLabel, ciphertext: Buffer): Buffer {
  const head = headOf(label, SYMMETRIC_FORM);
  requireForm(ciphertext, head);
  return open(key, head, label.context, ciphertext);
}

/** The reverse of {@link encryptDataToSm2} with the scalar (32 octets). @throws KmcError E_DECRYPT, with one text. */
export function decryptDataBySm2(scalar: Buffer, label: DataLabel, ciphertext: Buffer): Buffer {
  const start = headOf(label, SM2_FORM);
  const length = ciphertext.length >= start.length + 2 ? ciphertext.readUInt16BE(start.length) : 0;
  const wrapped = ciphertext.subarray(start.length + 2, start.length + 2 + length);
  if (wrapped.length !== length || length > LONGEST_HEAD) throw dataNotDecrypted();
  const head = headOf(label, SM2_FORM, wrapped);
  requireForm(ciphertext, head);
  const ephemeral = openEphemeral(scalar, wrapped);
  try {
    return open(ephemeral, head, label.context, ciphertext);
  } finally {
    wipe(ephemeral);
  }
}

function openEphemeral(scalar: Buffer, wrapped: Buffer): Buffer {
  let ephemeral: Buffer;
  try {
    ephemeral = decryptSm2(scalar, wrapped);
  } catch (error) {
    throw error instanceof KmcError ? dataNotDecrypted() : error;
  }
  if (ephemeral.length === EPHEMERAL_LENGTH) return ephemeral;
  wipe(ephemeral);
  throw dataNotDecrypted();
}

/**
 * The key and version that a ciphertext names, to find the key by. Nothing is proved by it: both are authenticated when it
 * decrypts under exactly that key. @throws KmcError E_DECRYPT when it is no data ciphertext.
 */
export function dataKeyNameOf(ciphertext: Buffer): DataKeyName {
  const form = ciphertext[MAGIC.length];
  const isData = ciphertext.subarray(0, MAGIC.length).equals(MAGIC) && (form === SYMMETRIC_FORM || form === SM2_FORM);
  const end = KEY_ID_AT + (ciphertext[MAGIC.length + 1] ?? 0);
  if (!isData || ciphertext.length < end + 4) throw dataNotDecrypted();
  const keyId = ciphertext.toString('latin1', KEY_ID_AT, end);
  if (!KEY_ID.test(keyId)) throw dataNotDecrypted();
  return { keyId, keyVersion: ciphertext.readUInt32BE(end) };
}
