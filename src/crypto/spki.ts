/** SubjectPublicKeyInfo (RFC 5280 4.1.2.7, RFC 5480, GM/T 0015): the strict reader, the writers, the names of a key. */
import { createHash, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { KmcError } from '../errors.ts';
import type { KeyAlgorithmName } from './algorithm-names.ts';
import { bitString, decodeSequence, nullValue, oid, readBitString, sequence, TAG } from './asn1/der.ts';
import { OID } from './asn1/oids.ts';
import { assertP256Point } from './legacy/ecdsa.ts';
import { encodeRsaPublicKey, readRsaPublicKey } from './legacy/rsa.ts';
import type { RsaPublicKey } from './legacy/rsa.ts';
import { OctetCache } from './octet-cache.ts';
import { sm3 } from './gm/sm3.ts';
import { assertSm2Point } from './gm/sm2-point.ts';

export interface SubjectPublicKeyInfo {
  readonly algorithm: KeyAlgorithmName;
  /** The DER that was read. */
  readonly der: Buffer;
  /** The content of the BIT STRING: the point (65 octets), or RSAPublicKey in DER. */
  readonly keyBits: Buffer;
  readonly rsa?: RsaPublicKey;
}

/** The AlgorithmIdentifier of each kind of key as it is written. */
export const KEY_ALGORITHM_IDENTIFIERS: Readonly<Record<KeyAlgorithmName, Buffer>> = {
  SM2: sequence(oid(OID.ecPublicKey), oid(OID.sm2p256v1)),
  'EC-P256': sequence(oid(OID.ecPublicKey), oid(OID.prime256v1)),
  RSA: sequence(oid(OID.rsaEncryption), nullValue()),
};

// GM/T 0015-2012's tables and early OpenSSL 3.0 name the algorithm by the curve's OID.
const SM2_BY_CURVE_OID = sequence(oid(OID.sm2p256v1), oid(OID.sm2p256v1));

const ACCEPTED_IDENTIFIERS: readonly { readonly identifier: Buffer; readonly algorithm: KeyAlgorithmName }[] = [
  { identifier: KEY_ALGORITHM_IDENTIFIERS.SM2, algorithm: 'SM2' },
  { identifier: SM2_BY_CURVE_OID, algorithm: 'SM2' },
  { identifier: KEY_ALGORITHM_IDENTIFIERS['EC-P256'], algorithm: 'EC-P256' },
  { identifier: KEY_ALGORITHM_IDENTIFIERS.RSA, algorithm: 'RSA' },
];

const KEY_BITS_READERS: Readonly<Record<KeyAlgorithmName, (keyBits: Buffer) => { rsa?: RsaPublicKey }>> = {
  SM2(keyBits) {
    assertSm2Point(keyBits);
    return {};
  },
  'EC-P256'(keyBits) {
    assertP256Point(keyBits);
    return {};
  },
  RSA: (keyBits) => ({ rsa: readRsaPublicKey(keyBits) }),
};

const LARGEST_SPKI = 4096;

/** The kind of key that an AlgorithmIdentifier (DER) names, of an SPKI or a PKCS#8. Throws `E_KEY` for any other. */
export function keyAlgorithmFromIdentifier(identifier: Buffer): KeyAlgorithmName {
  const accepted = ACCEPTED_IDENTIFIERS.find((entry) => entry.identifier.equals(identifier));
  if (accepted === undefined) {
    throw new KmcError('E_KEY', 'The key is of a kind not accepted here; use SM2, P-256 by name, or RSA.');
  }
  return accepted.algorithm;
}

/**
 * Reads a SubjectPublicKeyInfo in strict DER. SM2 is accepted as ecPublicKey or sm2p256v1 with the curve sm2p256v1.
 * Throws `E_DER`; `E_KEY` for another algorithm or an RSA key out of bounds; `E_POINT` for a point that is not 65
 * octets, uncompressed and on the curve.
 */
export function parseSpki(der: Buffer): SubjectPublicKeyInfo {
  return KNOWN.get(der, readSpki);
}

const KNOWN = new OctetCache<SubjectPublicKeyInfo>(1_024);

function readSpki(der: Buffer): SubjectPublicKeyInfo {
  const fields = decodeSequence(der, 'SubjectPublicKeyInfo', { maxBytes: LARGEST_SPKI });
  const identifier = fields.next(TAG.sequence, 'the algorithm of the public key').encoded;
  const { bytes: keyBits, unusedBits } = readBitString(fields.next(TAG.bitString, 'subjectPublicKey'));
  fields.end('SubjectPublicKeyInfo');
  if (unusedBits !== 0) throw new KmcError('E_DER', 'subjectPublicKey must be whole octets.');
  const algorithm = keyAlgorithmFromIdentifier(identifier);
  return { algorithm, der, keyBits, ...KEY_BITS_READERS[algorithm](keyBits) };
}

function encodeSpki(algorithm: KeyAlgorithmName, keyBits: Buffer): Buffer {
  KEY_BITS_READERS[algorithm](keyBits);
  return sequence(KEY_ALGORITHM_IDENTIFIERS[algorithm], bitString(keyBits));
}

/** The SPKI of an SM2 point (65 octets): 91 octets. Throws `E_POINT`. */
export function encodeSm2Spki(point: Buffer): Buffer {
  return encodeSpki('SM2', point);
}

/** The SPKI of a P-256 point (65 octets). Throws `E_POINT`. */
export function encodeP256Spki(point: Buffer): Buffer {
  return encodeSpki('EC-P256', point);
}

/** The SPKI of an RSA key. Throws `E_KEY`. */
export function encodeRsaSpki(key: RsaPublicKey): Buffer {
  return encodeSpki('RSA', encodeRsaPublicKey(key));
}

/** The point (65 octets) of an SM2 SPKI. Throws `E_KEY` for another kind of key, and what {@link parseSpki} throws. */
export function sm2PointFromSpki(der: Buffer): Buffer {
  const { algorithm, keyBits } = parseSpki(der);
  if (algorithm !== 'SM2') throw new KmcError('E_KEY', `An SM2 key is needed here, not ${algorithm}.`);
  return keyBits;
}

/** The name of a key, `kid`: `sm3:` and the hex of SM3 over the SPKI DER as it is. */
export function spkiSm3(der: Buffer): string {
  return `sm3:${sm3(der).toString('hex')}`;
}

/** SHA-1 over the BIT STRING content (RFC 5280 4.2.1.2 method 1): 20 octets. Throws what {@link parseSpki} throws. */
export function keyIdentifierSha1(der: Buffer): Buffer {
  return createHash('sha1').update(parseSpki(der).keyBits).digest();
}

/** A public key that was read and checked. */
export class ImportedPublicKey {
  readonly info: SubjectPublicKeyInfo;
  #keyObject: KeyObject | undefined;

  constructor(info: SubjectPublicKeyInfo) {
    this.info = info;
  }

  /** The content of the BIT STRING: of an SM2 or P-256 key its point, 65 octets. */
  get point(): Buffer {
    return this.info.keyBits;
  }

  /** The key for node:crypto, imported at the first use. Throws `E_KEY`. */
  get keyObject(): KeyObject {
    return (this.#keyObject ??= importKeyObject(this.info));
  }
}

// An import costs a third of a verification; a CA verifies under few keys again and again.
const IMPORTED_KEYS = 1024;
const imported = new Map<string, ImportedPublicKey>();

function importKeyObject({ algorithm, keyBits }: SubjectPublicKeyInfo): KeyObject {
  const key = sequence(KEY_ALGORITHM_IDENTIFIERS[algorithm], bitString(keyBits));
  try {
    return createPublicKey({ key, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new KmcError('E_KEY', 'The public key cannot be used.', { cause });
  }
}

/** The key of an SPKI, checked by {@link parseSpki} (and throwing as it does), from a bounded cache by its DER. */
export function importPublicKey(der: Buffer): ImportedPublicKey {
  const name = der.toString('latin1');
  const key = imported.get(name) ?? new ImportedPublicKey(parseSpki(Buffer.from(der)));
  // Set again at each use, so that the first entry is the one longest unused.
  imported.delete(name);
  imported.set(name, key);
  for (const longestUnused of imported.keys()) {
    if (imported.size <= IMPORTED_KEYS) break;
    imported.delete(longestUnused);
  }
  return key;
}
