/**
 * What every family of private-key envelopes is made of: d under SM4-ECB with a fresh key, which is SM2-encrypted to the
 * recipient. The families (GM/T 0009, 0010, 0016) only pack these parts differently, so that one can be made of another
 * without any key.
 */
import { KmcError } from '../../errors.ts';
import { concat, isAllZero, secretBuffer, wipe } from '../bytes.ts';
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

/** An envelope as it is read from any family. Nothing in it is secret. */
export interface KeyEnvelope {
  /** The public point of the enveloped key, 65 octets; not yet checked. */
  readonly point: Buffer;
  /** The SM4 key, SM2-encrypted to the recipient: DER SM2Cipher. */
  readonly wrappedKey: Buffer;
  /** SM4-ECB over d in one of the layouts that products use: 32, 48 or 64 octets. */
  readonly encryptedScalar: Buffer;
}

/** Octets of zeros that stand before d where a family holds 64 octets (cbEncryptedPriKey of GM/T 0016). */
export const SCALAR_PADDING: Buffer = Buffer.alloc(SM2_FIELD_LENGTH);

const PKCS7_PADDING = Buffer.alloc(16, 16);

/** Where d stands in the decrypted octets, by their number: the standards are silent about padding and products differ. */
const SCALAR_LAYOUTS: ReadonlyMap<number, { readonly at: number; readonly holds: (plain: Buffer) => boolean }> =
  new Map([
    [32, { at: 0, holds: () => true }],
    [48, { at: 0, holds: (plain: Buffer) => plain.subarray(32).equals(PKCS7_PADDING) }],
    [64, { at: 32, holds: (plain: Buffer) => isAllZero(plain.subarray(0, 32)) }],
  ]);

/** d after 32 zero octets: the content of GM/T 0010 packages. The caller wipes it. */
export function paddedScalar(scalar: Buffer): Buffer {
  return concat(SCALAR_PADDING, scalar);
}

/**
 * Envelopes a key pair to a recipient's public point (65 octets). `encryptedScalar` is SM4-ECB over 32 zero octets and d,
 * 64 octets: its second half is SM4-ECB(d), since ECB encrypts each block by itself.
 * @throws KmcError E_KEY (d out of range or not of this point), E_POINT (recipient).
 */
export function makeKeyEnvelope({ scalar, point }: Sm2KeyPair, recipientPoint: Buffer): KeyEnvelope {
  assertSm2KeyPair(scalar, point);
  const key = randomBytes(SM4_KEY_LENGTH);
  const plain = paddedScalar(scalar);
  try {
    return { point, wrappedKey: encryptSm2(recipientPoint, key), encryptedScalar: sm4EcbEncrypt(key, plain) };
  } finally {
    wipe(key, plain);
  }
}

/** SM4-ECB(d), 32 octets, of an envelope in a layout that ends with d. @throws KmcError E_USAGE for the padded layout. */
export function bareScalarOf({ encryptedScalar }: KeyEnvelope): Buffer {
  const at = SCALAR_LAYOUTS.get(encryptedScalar.length)?.at;
  if (at === undefined || at + SM2_FIELD_LENGTH !== encryptedScalar.length) {
    throw new KmcError('E_USAGE', 'An envelope in this layout cannot be packed as another family.');
  }
  return encryptedScalar.subarray(at);
}

/**
 * Opens an envelope with the recipient's d, and gives the key out only when dG is the public point: but for a signature,
 * nothing else authenticates the SM4 part. The caller wipes `scalar`.
 * @param check looks at the decrypted content before anything is given out, and throws where it is not acceptable.
 * @throws KmcError E_POINT, E_DECRYPT (not for this recipient, or no such layout), E_KEY (dG is another point).
 */
export function openKeyEnvelope(
  recipientScalar: Buffer,
  envelope: KeyEnvelope,
  check?: (content: Buffer) => void,
): Sm2KeyPair {
  const point = Buffer.from(envelope.point);
  assertSm2Point(point);
  const layout = SCALAR_LAYOUTS.get(envelope.encryptedScalar.length);
  if (layout === undefined) throw notOpened();
  const key = decryptSm2(recipientScalar, envelope.wrappedKey);
  let plain: Buffer | undefined;
  const scalar = secretBuffer(SM2_FIELD_LENGTH);
  try {
    if (key.length !== SM4_KEY_LENGTH) throw notOpened();
    plain = sm4EcbDecrypt(key, envelope.encryptedScalar);
    if (!layout.holds(plain)) throw notOpened();
    check?.(plain);
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

function notOpened(): KmcError {
  return new KmcError('E_DECRYPT', 'The enveloped key does not open: it is damaged or was made for another recipient.');
}
