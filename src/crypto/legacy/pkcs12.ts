/**
 * PKCS#12 files of legacy RSA estates (RFC 7292), read only. Every layer, the decrypted ones too, passes the strict DER
 * gate and is walked here; node-forge lends nothing but RC2, which OpenSSL 3 no longer has.
 */
import { createDecipheriv } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import {
  cursor,
  decodeSequence,
  octetString,
  implicitAs,
  readOctetString,
  readOid,
  readSmallInteger,
  sequence,
  TAG,
  type DerElement,
} from '../asn1/der.ts';
import { OID } from '../asn1/oids.ts';
import { concat, wipe } from '../bytes.ts';
import { decryptPkcs8 } from '../encrypted-pkcs8.ts';
import { keyAlgorithmFromIdentifier } from '../spki.ts';
import { PKCS12_ID, pkcs12Kdf, pkcs12Password } from './pkcs12-kdf.ts';
import { assertPkcs12Mac, pkcs12Error, readPkcs12Iterations } from './pkcs12-mac.ts';

export interface Pkcs12Content {
  /** PKCS#8 PrivateKeyInfo, DER, in clear: for the engine only, which wipes it. */
  readonly pkcs8: Buffer;
  /** Certificates as DER, in the order of the file. */
  readonly certificates: Buffer[];
}

const MAX_PARTS = 16;
const MAX_BAGS = 64;
const MAX_BYTES = 262_144;
const CONTEXT_0 = 0xa0;
const IV_BYTES = 8;

interface PbeCipher {
  readonly keyBytes: number;
  /** Decrypts CBC and takes the padding off; undefined when the padding is wrong. */
  readonly decrypt: (key: Buffer, iv: Buffer, ciphertext: Buffer) => Promise<Buffer | undefined>;
}

/** Appendix C of RFC 7292; the RC4 schemes are left out. */
const PBE_CIPHERS: ReadonlyMap<string, PbeCipher> = new Map([
  [OID.pbeWithSha1And3KeyTripleDesCbc, { keyBytes: 24, decrypt: decryptWith('des-ede3-cbc') }],
  [OID.pbeWithSha1And2KeyTripleDesCbc, { keyBytes: 16, decrypt: decryptWith('des-ede-cbc') }],
  [OID.pbeWithSha1And128BitRc2Cbc, { keyBytes: 16, decrypt: decryptRc2 }],
  [OID.pbeWithSha1And40BitRc2Cbc, { keyBytes: 5, decrypt: decryptRc2 }],
]);

interface Found {
  readonly keys: Buffer[];
  readonly certificates: Buffer[];
}

/** Opens one encrypted part: its AlgorithmIdentifier and ciphertext. */
type Decrypt = (algorithm: DerElement, ciphertext: Buffer) => Promise<Buffer>;

/**
 * Opens a PFX that is protected by a password MAC and holds exactly one private key, an RSA key, and its certificates.
 * @param pfx DER. @param passphrase UTF-8.
 * @throws KmcError E_DER (not strict DER, no MAC, other content, more iterations than are accepted), E_SIZE,
 * E_PASSPHRASE (the MAC does not fit), E_KEY (no key, several keys or not RSA).
 */
export async function readPkcs12(pfx: Buffer, passphrase: Buffer): Promise<Pkcs12Content> {
  const outer = decodeSequence(pfx, 'the PFX', { maxBytes: MAX_BYTES });
  if (readSmallInteger(outer.next(TAG.integer, 'the version of the PFX')) !== 3)
    throw pkcs12Error('its version is not 3');
  const authSafe = readData(outer.next(TAG.sequence, 'authSafe'));
  if (outer.remaining === 0) throw pkcs12Error('it has no MAC');
  const macData = outer.next(TAG.sequence, 'macData');
  outer.end('the PFX');
  const password = pkcs12Password(passphrase);
  const decrypt: Decrypt = (algorithm, ciphertext) => decryptPart(algorithm, ciphertext, password, passphrase);
  try {
    assertPkcs12Mac(macData, authSafe, password);
    return await collectBags(authSafe, decrypt);
  } finally {
    wipe(password);
  }
}

async function collectBags(authSafe: Buffer, decrypt: Decrypt): Promise<Pkcs12Content> {
  const found: Found = { keys: [], certificates: [] };
  const parts = decodeSequence(authSafe, 'the AuthenticatedSafe');
  if (parts.remaining > MAX_PARTS) throw pkcs12Error('it has too many parts');
  try {
    while (parts.remaining > 0) {
      const content = await openPart(parts.next(TAG.sequence, 'a part'), decrypt);
      try {
        const bags = decodeSequence(content, 'a SafeContents');
        if (bags.remaining > MAX_BAGS) throw pkcs12Error('it has too many bags');
        while (bags.remaining > 0) await readBag(bags.next(TAG.sequence, 'a SafeBag'), decrypt, found);
      } finally {
        wipe(content);
      }
    }
    const [pkcs8] = found.keys;
    if (pkcs8 === undefined || found.keys.length > 1) {
      throw new KmcError(
        'E_KEY',
        `The PKCS#12 file holds ${found.keys.length} private keys; give a file with exactly one.`,
      );
    }
    checkRsa(pkcs8);
    return { pkcs8, certificates: found.certificates };
  } catch (error) {
    wipe(...found.keys);
    throw error;
  }
}

/** The SafeContents of one ContentInfo of the AuthenticatedSafe, as a copy that may be wiped. */
async function openPart(part: DerElement, decrypt: Decrypt): Promise<Buffer> {
  const info = cursor(part);
  const contentType = readOid(info.next(TAG.oid, 'contentType'));
  if (contentType === OID.data) return concat(readData(part));
  if (contentType !== OID.encryptedData) throw pkcs12Error('a part is neither data nor encryptedData');
  const explicit = cursor(info.next(CONTEXT_0, 'encryptedData'));
  info.end('a ContentInfo');
  const encryptedData = cursor(explicit.next(TAG.sequence, 'encryptedData'));
  explicit.end('encryptedData');
  if (readSmallInteger(encryptedData.next(TAG.integer, 'the version of encryptedData')) !== 0) {
    throw pkcs12Error('the version of encryptedData is not 0');
  }
  const contentInfo = cursor(encryptedData.next(TAG.sequence, 'encryptedContentInfo'));
  encryptedData.end('encryptedData');
  if (readOid(contentInfo.next(TAG.oid, 'the inner contentType')) !== OID.data) throw pkcs12Error('a part is not data');
  const algorithm = contentInfo.next(TAG.sequence, 'contentEncryptionAlgorithm');
  const encrypted = implicitAs(contentInfo.next(0x80, 'encryptedContent'), TAG.octetString);
  contentInfo.end('encryptedContentInfo');
  return decrypt(algorithm, readOctetString(encrypted));
}

type BagReader = (value: DerElement, decrypt: Decrypt, found: Found) => Promise<void> | void;

const BAG_READERS: ReadonlyMap<string, BagReader> = new Map<string, BagReader>([
  [OID.keyBag, readKeyBag],
  [OID.pkcs8ShroudedKeyBag, readShroudedKeyBag],
  [OID.certBag, readCertBag],
]);

async function readBag(bag: DerElement, decrypt: Decrypt, found: Found): Promise<void> {
  const fields = cursor(bag);
  const read = BAG_READERS.get(readOid(fields.next(TAG.oid, 'bagId')));
  const explicit = cursor(fields.next(CONTEXT_0, 'bagValue'));
  fields.optional(TAG.set);
  fields.end('a SafeBag');
  if (read === undefined) throw pkcs12Error('it holds a bag that is neither a key nor a certificate');
  await read(explicit.next(TAG.sequence, 'bagValue'), decrypt, found);
  explicit.end('bagValue');
}

function readKeyBag(value: DerElement, _decrypt: Decrypt, { keys }: Found): void {
  keys.push(concat(value.encoded));
}

async function readShroudedKeyBag(value: DerElement, decrypt: Decrypt, { keys }: Found): Promise<void> {
  const fields = cursor(value);
  const algorithm = fields.next(TAG.sequence, 'encryptionAlgorithm');
  const encryptedData = readOctetString(fields.next(TAG.octetString, 'encryptedData'));
  fields.end('an EncryptedPrivateKeyInfo');
  keys.push(await decrypt(algorithm, encryptedData));
}

function readCertBag(value: DerElement, _decrypt: Decrypt, { certificates }: Found): void {
  const fields = cursor(value);
  if (readOid(fields.next(TAG.oid, 'certId')) !== OID.x509Certificate) throw pkcs12Error('a certificate is not X.509');
  const explicit = cursor(fields.next(CONTEXT_0, 'certValue'));
  fields.end('a CertBag');
  const certificate = readOctetString(explicit.next(TAG.octetString, 'certValue'));
  explicit.end('certValue');
  decodeSequence(certificate, 'a certificate');
  certificates.push(Buffer.from(certificate));
}

async function decryptPart(
  algorithm: DerElement,
  ciphertext: Buffer,
  password: Buffer,
  passphrase: Buffer,
): Promise<Buffer> {
  const identifier = cursor(algorithm);
  const oid = readOid(identifier.next(TAG.oid, 'the encryption algorithm'));
  if (oid === OID.pbes2) return decryptPkcs8(sequence(algorithm.encoded, octetString(ciphertext)), passphrase);
  const cipher = PBE_CIPHERS.get(oid);
  if (cipher === undefined) throw pkcs12Error('it is encrypted in a way that is not accepted');
  const fields = cursor(identifier.next(TAG.sequence, 'the encryption parameters'));
  identifier.end('the encryption algorithm');
  const salt = readOctetString(fields.next(TAG.octetString, 'the salt'));
  const iterations = readPkcs12Iterations(fields.next(TAG.integer, 'the iterations'));
  fields.end('the encryption parameters');
  const key = pkcs12Kdf('sha1', password, salt, iterations, PKCS12_ID.key, cipher.keyBytes);
  const iv = pkcs12Kdf('sha1', password, salt, iterations, PKCS12_ID.iv, IV_BYTES);
  try {
    const content = await cipher.decrypt(key, iv, ciphertext);
    if (content === undefined) {
      throw new KmcError('E_PASSPHRASE', 'A part of the PKCS#12 file does not decrypt under its passphrase.');
    }
    return content;
  } finally {
    wipe(key, iv);
  }
}

function decryptWith(cipher: string): PbeCipher['decrypt'] {
  return async (key, iv, ciphertext) => {
    const decipher = createDecipheriv(cipher, key, iv);
    const head = decipher.update(ciphertext);
    let tail: Buffer | undefined;
    try {
      tail = decipher.final();
      return concat(head, tail);
    } catch {
      return undefined;
    } finally {
      wipe(head, tail);
    }
  };
}

async function decryptRc2(key: Buffer, iv: Buffer, ciphertext: Buffer): Promise<Buffer | undefined> {
  // Loaded here alone: it is large, and few files need it.
  const { default: forge } = await import('node-forge');
  const decipher = forge.rc2.createDecryptionCipher(key.toString('latin1'), key.length * 8);
  decipher.start(iv.toString('latin1'));
  decipher.update(forge.util.createBuffer(ciphertext.toString('latin1')));
  // The padding is checked here: forge looks at its last octet only and takes an empty ciphertext.
  if (!decipher.finish(() => true)) return undefined;
  const padded = Buffer.from(decipher.output.getBytes(), 'latin1');
  const padding = padded.at(-1) ?? 0;
  const length = padded.length - padding;
  const isPadded = padding >= 1 && padding <= 8 && length >= 0 && padded.subarray(length).every((o) => o === padding);
  const content = isPadded ? concat(padded.subarray(0, length)) : undefined;
  wipe(padded);
  return content;
}

function checkRsa(pkcs8: Buffer): void {
  const fields = decodeSequence(pkcs8, 'the private key');
  fields.next(TAG.integer, 'the version of the private key');
  if (keyAlgorithmFromIdentifier(fields.next(TAG.sequence, 'privateKeyAlgorithm').encoded) !== 'RSA') {
    throw new KmcError(
      'E_KEY',
      'The PKCS#12 file holds a key that is not RSA; only RSA keys of legacy estates are taken.',
    );
  }
}

/** The content octets of a ContentInfo of type data. */
function readData(contentInfo: DerElement): Buffer {
  const fields = cursor(contentInfo);
  if (readOid(fields.next(TAG.oid, 'contentType')) !== OID.data) {
    throw pkcs12Error('it is not protected by a password MAC');
  }
  const explicit = cursor(fields.next(CONTEXT_0, 'content'));
  fields.end('a ContentInfo');
  const content = readOctetString(explicit.next(TAG.octetString, 'content'));
  explicit.end('content');
  return content;
}
