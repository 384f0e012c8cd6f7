/**
 * Plain PKCS#8 PrivateKeyInfo (RFC 5208) with ECPrivateKey (RFC 5915) or RSAPrivateKey inside. The encrypted form is in
 * encrypted-pkcs8.ts. Secrets are copied only into Buffers that their holder wipes.
 */
import { KmcError } from '../errors.ts';
import type { KeyAlgorithmName } from './algorithm-names.ts';
import {
  cursor,
  decodeSequence,
  integer,
  readBitString,
  readOctetString,
  readOid,
  readSmallInteger,
  TAG,
} from './asn1/der.ts';
import type { DerCursor } from './asn1/der.ts';
import { OID } from './asn1/oids.ts';
import { concat, secretBuffer, wipe } from './bytes.ts';
import { EC_SCALAR_LENGTH } from './ec-signature.ts';
import type { Sm2SigningKey } from './gm/sm2-arithmetic.ts';
import { SM2_POINT_LENGTH } from './gm/sm2-curve.ts';
import { sm2PublicPoint } from './gm/sm2-key.ts';
import { p256PublicPoint } from './legacy/ecdsa.ts';
import { checkRsaPrivateKey } from './legacy/rsa.ts';
import { PrivateKey } from './private-key.ts';
import {
  encodeP256Spki,
  encodeRsaSpki,
  encodeSm2Spki,
  KEY_ALGORITHM_IDENTIFIERS,
  keyAlgorithmFromIdentifier,
} from './spki.ts';

export { decryptPkcs8, encryptPkcs8 } from './encrypted-pkcs8.ts';

type EcName = Exclude<KeyAlgorithmName, 'RSA'>;

interface EcCurve {
  readonly oid: string;
  publicPoint(scalar: Buffer): Buffer;
  encodeSpki(point: Buffer): Buffer;
}

const CURVES: Readonly<Record<EcName, EcCurve>> = {
  SM2: { oid: OID.sm2p256v1, publicPoint: sm2PublicPoint, encodeSpki: encodeSm2Spki },
  'EC-P256': { oid: OID.prime256v1, publicPoint: p256PublicPoint, encodeSpki: encodeP256Spki },
};

const LARGEST_PKCS8 = 8192;
const VERSION_0 = integer(0);
const CONTEXT_0 = 0xa0;
const CONTEXT_1 = 0xa1;
// ECPrivateKey without parameters and with publicKey, as OpenSSL 3, Tongsuo and GmSSL write it inside PKCS#8.
const EC_PRIVATE_KEY_LENGTH = 109;
const EC_PRIVATE_KEY_HEAD = Buffer.from('306b0201010420', 'hex');
const EC_PUBLIC_KEY_HEAD = Buffer.from('a144034200', 'hex');

/** Tag and length octets of a TLV whose content has `length` octets. */
function derHead(tag: number, length: number): Buffer {
  if (length < 0x80) return Buffer.from([tag, length]);
  return length < 0x100 ? Buffer.from([tag, 0x81, length]) : Buffer.from([tag, 0x82, length >> 8, length & 0xff]);
}

/** The octets of PrivateKeyInfo that stand before the content of privateKey. */
function privateKeyInfoHead(algorithm: KeyAlgorithmName, privateKeyLength: number): Buffer {
  const inner = concat(VERSION_0, KEY_ALGORITHM_IDENTIFIERS[algorithm], derHead(TAG.octetString, privateKeyLength));
  return concat(derHead(TAG.sequence, inner.length + privateKeyLength), inner);
}

const EC_HEADS: Readonly<Record<EcName, Buffer>> = {
  SM2: concat(privateKeyInfoHead('SM2', EC_PRIVATE_KEY_LENGTH), EC_PRIVATE_KEY_HEAD),
  'EC-P256': concat(privateKeyInfoHead('EC-P256', EC_PRIVATE_KEY_LENGTH), EC_PRIVATE_KEY_HEAD),
};

/** PrivateKeyInfo of an EC key: 138 octets. The caller wipes it. `scalar` has 32 octets, `point` 65; not checked. */
export function encodeEcPkcs8(algorithm: EcName, scalar: Buffer, point: Buffer): Buffer {
  return concat(EC_HEADS[algorithm], scalar, EC_PUBLIC_KEY_HEAD, point);
}

/** {@link encodeEcPkcs8} for SM2. */
export function encodeSm2Pkcs8(scalar: Buffer, point: Buffer): Buffer {
  return encodeEcPkcs8('SM2', scalar, point);
}

/** The private scalar of an SM2 or P-256 key: a view of 32 octets into the key, which its destruction wipes. */
export function ecScalar(key: PrivateKey): Buffer {
  if (key.algorithm === 'RSA') throw new KmcError('E_USAGE', 'An RSA key has no scalar.');
  const start = EC_HEADS[key.algorithm].length;
  return key.pkcs8.subarray(start, start + EC_SCALAR_LENGTH);
}

/** What SM2 signs with: views of an SM2 key, which its destruction wipes. Throws `E_USAGE` for another kind of key. */
export function sm2SigningKey(key: PrivateKey): Sm2SigningKey {
  return {
    scalar: ecScalar(key),
    point: key.spki.subarray(-SM2_POINT_LENGTH),
    get keyObject() {
      return key.keyObject;
    },
    derived: (compute) => key.derived(compute),
  };
}

/** 32 octets of a scalar written with 31 to 33: leading zeros lost, or one too many. */
function normalizedScalar(octets: Buffer): Buffer {
  const excess = octets.length - EC_SCALAR_LENGTH;
  if (excess < -1 || excess > 1 || (excess === 1 && octets[0] !== 0)) {
    throw new KmcError('E_KEY', 'The private key does not have 32 octets.');
  }
  const scalar = secretBuffer(EC_SCALAR_LENGTH);
  octets.copy(scalar, Math.max(0, -excess), Math.max(0, excess));
  return scalar;
}

function readPublicKey(fields: DerCursor): Buffer | undefined {
  const wrapper = fields.optional(CONTEXT_1);
  if (wrapper === undefined) return undefined;
  const inner = cursor(wrapper);
  const { bytes, unusedBits } = readBitString(inner.next(TAG.bitString, 'publicKey'));
  inner.end('publicKey');
  if (unusedBits !== 0) throw new KmcError('E_DER', 'publicKey must be whole octets.');
  return bytes;
}

function checkCurve(fields: DerCursor, curve: EcCurve): void {
  const wrapper = fields.optional(CONTEXT_0);
  if (wrapper === undefined) return;
  const inner = cursor(wrapper);
  const named = readOid(inner.next(TAG.oid, 'parameters'));
  inner.end('parameters');
  if (named !== curve.oid) throw new KmcError('E_KEY', 'The private key names two different curves.');
}

function readEcPrivateKey(der: Buffer, algorithm: EcName): PrivateKey {
  const curve = CURVES[algorithm];
  const fields = decodeSequence(der, 'ECPrivateKey');
  const version = readSmallInteger(fields.next(TAG.integer, 'version'));
  if (version !== 1) throw new KmcError('E_DER', 'The version of ECPrivateKey must be 1.');
  const scalar = normalizedScalar(readOctetString(fields.next(TAG.octetString, 'privateKey')));
  try {
    checkCurve(fields, curve);
    const stated = readPublicKey(fields);
    fields.end('ECPrivateKey');
    const point = curve.publicPoint(scalar);
    if (stated !== undefined && !stated.equals(point)) {
      throw new KmcError('E_KEY', 'The private key does not belong to the public key that stands beside it.');
    }
    return new PrivateKey(algorithm, curve.encodeSpki(point), encodeEcPkcs8(algorithm, scalar, point));
  } finally {
    wipe(scalar);
  }
}

function readRsaPrivateKey(der: Buffer): PrivateKey {
  const spki = encodeRsaSpki(checkRsaPrivateKey(der));
  return new PrivateKey('RSA', spki, concat(privateKeyInfoHead('RSA', der.length), der));
}

const KEY_READERS: Readonly<Record<KeyAlgorithmName, (privateKey: Buffer) => PrivateKey>> = {
  SM2: (privateKey) => readEcPrivateKey(privateKey, 'SM2'),
  'EC-P256': (privateKey) => readEcPrivateKey(privateKey, 'EC-P256'),
  RSA: readRsaPrivateKey,
};

/**
 * Reads a plain PrivateKeyInfo in strict DER. Of an EC key, parameters [0] and publicKey [1] may be there or not, and
 * the scalar may have 31 to 33 octets; attributes are dropped. The caller still owns `der`. Throws `E_DER`; `E_KEY` for
 * another kind of key, numbers out of range, or a private key that is not that of the public key in it.
 */
export function parsePkcs8(der: Buffer): PrivateKey {
  const fields = decodeSequence(der, 'PrivateKeyInfo', { maxBytes: LARGEST_PKCS8 });
  const version = readSmallInteger(fields.next(TAG.integer, 'version'));
  if (version !== 0) throw new KmcError('E_DER', 'The version of PrivateKeyInfo must be 0.');
  const identifier = fields.next(TAG.sequence, 'privateKeyAlgorithm').encoded;
  const privateKey = readOctetString(fields.next(TAG.octetString, 'privateKey'));
  fields.optional(CONTEXT_0);
  fields.end('PrivateKeyInfo');
  return KEY_READERS[keyAlgorithmFromIdentifier(identifier)](privateKey);
}
