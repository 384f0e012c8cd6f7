/**
 * SM2EnvelopedKey (GM/T 0009): an SM2 key pair under SM4-ECB with a fresh key, which is SM2-encrypted to the recipient.
 *   SEQUENCE { symAlgID, symEncryptedKey SM2Cipher, sm2PublicKey BIT STRING, sm2EncryptedPrivateKey BIT STRING }
 * Nothing authenticates the SM4 part, so that a private key is given out only after dG equals sm2PublicKey.
 */
import { KmcError } from '../../errors.ts';
import {
  bitString,
  cursor,
  decodeSequence,
  nullValue,
  oid,
  readBitString,
  readOid,
  sequence,
  TAG,
  type DerElement,
} from '../asn1/der.ts';
import { OID } from '../asn1/oids.ts';
import { isAllZero, secretBuffer, wipe } from '../bytes.ts';
import { randomBytes } from '../random.ts';
import { decryptSm2, encryptSm2 } from './sm2-encrypt.ts';
import { assertSm2KeyPair } from './sm2-key.ts';
import { SM2_FIELD_LENGTH } from './sm2-curve.ts';
import { assertSm2Point } from './sm2-point.ts';
import { SM4_KEY_LENGTH, sm4EcbDecrypt, sm4EcbEncrypt } from './sm4.ts';

/** An SM2 key pair in clear: d (32 octets), which its holder wipes, and the public point (65 octets). */
export interface Sm2KeyPair {
  readonly scalar: Buffer;
  readonly point: Buffer;
}

const LONGEST_DER = 512;
const SYMMETRIC_ALGORITHMS: ReadonlySet<string> = new Set([OID.sm4Ecb, OID.sm4]);
const PADDING = Buffer.alloc(16, 16);

/** Where d stands in the decrypted octets, by their number: the standard is silent about padding and products differ. */
const SCALAR_LAYOUTS: ReadonlyMap<number, { readonly at: number; readonly holds: (plain: Buffer) => boolean }> =
  new Map([
    [32, { at: 0, holds: () => true }],
    [48, { at: 0, holds: (plain: Buffer) => plain.subarray(32).equals(PADDING) }],
    [64, { at: 32, holds: (plain: Buffer) => isAllZero(plain.subarray(0, 32)) }],
  ]);

/**
 * Envelopes a key pair to a recipient's public point (65 octets): DER in the shape that practice agrees on, symAlgID
 * sm4-ecb with NULL and 32 octets of ciphertext without padding.
 * @throws KmcError E_KEY (d out of range or not of this point), E_POINT (recipient).
 */
export function encodeEnvelopedKey({ scalar, point }: Sm2KeyPair, recipientPoint: Buffer): Buffer {
  assertSm2KeyPair(scalar, point);
  const key = randomBytes(SM4_KEY_LENGTH);
  try {
    return sequence(
      sequence(oid(OID.sm4Ecb), nullValue()),
      encryptSm2(recipientPoint, key),
      bitString(point),
      bitString(sm4EcbEncrypt(key, scalar)),
    );
  } finally {
    wipe(key);
  }
}

/**
 * Opens an SM2EnvelopedKey with the recipient's d. Accepts symAlgID sm4-ecb or sm4, NULL or no parameters, and d as 32
 * octets, with PKCS#7 padding (48), or after 32 zero octets (64). The caller wipes `scalar`.
 * @throws KmcError E_DER, E_SIZE (structure), E_POINT (sm2PublicKey), E_DECRYPT (not for this recipient, or no such
 * layout), E_KEY (dG is not sm2PublicKey).
 */
export function openEnvelopedKey(recipientScalar: Buffer, envelopedKey: Buffer): Sm2KeyPair {
  const { symEncryptedKey, point, encryptedScalar } = readEnvelopedKey(envelopedKey);
  const layout = SCALAR_LAYOUTS.get(encryptedScalar.length);
  if (layout === undefined) throw notOpened();
  const key = decryptSm2(recipientScalar, symEncryptedKey);
  let plain: Buffer | undefined;
  const scalar = secretBuffer(SM2_FIELD_LENGTH);
  try {
    if (key.length !== SM4_KEY_LENGTH) throw notOpened();
    plain = sm4EcbDecrypt(key, encryptedScalar);
    if (!layout.holds(plain)) throw notOpened();
    plain.copy(scalar, 0, layout.at, layout.at + SM2_FIELD_LENGTH);
    assertSm2KeyPair(scalar, point);
    return { scalar, point };
  } catch (error) {
    wipe(scalar);
    throw error;
  } finally {
    wipe(key, plain);
  }
}

/**
 * The public key (65 octets) of the pair in an SM2EnvelopedKey, as the envelope states it: whoever opens it finds out
 * whether dG is that key.
 * @throws KmcError E_DER, E_SIZE, E_POINT.
 */
export function envelopedPublicPoint(envelopedKey: Buffer): Buffer {
  return readEnvelopedKey(envelopedKey).point;
}

interface EnvelopedKeyFields {
  /** SM2Cipher, DER. */
  readonly symEncryptedKey: Buffer;
  readonly point: Buffer;
  readonly encryptedScalar: Buffer;
}

function readEnvelopedKey(envelopedKey: Buffer): EnvelopedKeyFields {
  const fields = decodeSequence(envelopedKey, 'SM2EnvelopedKey', { maxBytes: LONGEST_DER });
  checkSymmetricAlgorithm(fields.next(TAG.sequence, 'symAlgID'));
  const symEncryptedKey = fields.next(TAG.sequence, 'symEncryptedKey').encoded;
  const point = Buffer.from(wholeOctets(fields.next(TAG.bitString, 'sm2PublicKey')));
  const encryptedScalar = wholeOctets(fields.next(TAG.bitString, 'sm2EncryptedPrivateKey'));
  fields.end('SM2EnvelopedKey');
  assertSm2Point(point);
  return { symEncryptedKey, point, encryptedScalar };
}

function checkSymmetricAlgorithm(element: DerElement): void {
  const fields = cursor(element);
  const algorithm = readOid(fields.next(TAG.oid, 'symAlgID'));
  fields.optional(TAG.null);
  fields.end('symAlgID');
  if (!SYMMETRIC_ALGORITHMS.has(algorithm)) {
    throw new KmcError('E_DER', 'The enveloped key is not under SM4-ECB, the only algorithm taken here.');
  }
}

function wholeOctets(element: DerElement): Buffer {
  const { bytes, unusedBits } = readBitString(element);
  if (unusedBits !== 0) throw new KmcError('E_DER', 'A BIT STRING of the enveloped key is not whole octets.');
  return bytes;
}

function notOpened(): KmcError {
  return new KmcError('E_DECRYPT', 'The enveloped key does not open: it is damaged or was made for another recipient.');
}
