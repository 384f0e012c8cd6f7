/**
 * THE algorithm table. Whatever depends on the name of an algorithm is a member of an entry here; nothing else compares
 * names. Private keys appear only as `PrivateKey`, which an engine holds.
 */
import { KmcError } from '../errors.ts';
import type { KeyAlgorithmName, SignatureAlgorithmName } from './algorithm-names.ts';
import { contextExplicit, integer, nullValue, oid, sequence, set } from './asn1/der.ts';
import { OID } from './asn1/oids.ts';
import { wipe } from './bytes.ts';
import { ecSignatureFromRaw, ecSignatureToRaw } from './ec-signature.ts';
import { generateSm2Key } from './gm/sm2-key.ts';
import { signSm2, signSm2Many, verifySm2, verifySm2Independently } from './gm/sm2-sign.ts';
import { generateP256Key, signP256, verifyP256, verifyP256Independently } from './legacy/ecdsa.ts';
import { generateRsaKey, signRsa, verifyRsa } from './legacy/rsa.ts';
import type { RsaScheme } from './legacy/rsa.ts';
import { encodeEcPkcs8, sm2SigningKey } from './pkcs8.ts';
import type { PrivateKey } from './private-key.ts';
import { encodeP256Spki, encodeSm2Spki, importPublicKey } from './spki.ts';
import type { ImportedPublicKey } from './spki.ts';

export type { KeyAlgorithmName, SignatureAlgorithmName } from './algorithm-names.ts';

export interface KeyAlgorithm {
  readonly name: KeyAlgorithmName;
  /** The `alg` number of keys of this kind in sealed blobs; 0x0100 and above are for other contents. */
  readonly blobNumber: number;
  /** The signature algorithms that keys of this kind verify. */
  readonly signatures: readonly [SignatureAlgorithmName, ...SignatureAlgorithmName[]];
  /** What signs X.509 objects and what signs JSON bodies, unless something else is asked for. */
  readonly defaultSignature: SignatureAlgorithmName;
  readonly jsonSignature: SignatureAlgorithmName;
  /** Attribute (DER) that asks a requester for a key of this kind (RFC 9908): type = algorithm, value = its parameter. */
  readonly requestAttribute: Buffer;
  /**
   * Makes a key pair: plain PKCS#8 (which the caller wipes) and SPKI, DER. `bits` is for RSA only. Only engines call it.
   * Throws `E_USAGE` for a size that is not allowed, `E_SELF_TEST` for a stuck random generator.
   */
  generateKeyPair(bits?: number): Promise<{ pkcs8: Buffer; spki: Buffer }>;
}

export interface SignatureAlgorithm {
  readonly name: SignatureAlgorithmName;
  readonly keyAlgorithm: KeyAlgorithmName;
  readonly oid: string;
  /** The AlgorithmIdentifier (DER) as it is written. */
  readonly identifier: Buffer;
  /** Every AlgorithmIdentifier (DER) accepted on read, the written one included. */
  readonly acceptedIdentifiers: readonly Buffer[];
  /** Signs the whole message; the X.509 form comes out (DER SEQUENCE { r, s }, or bare octets for RSA). */
  sign(key: PrivateKey, message: Buffer): Buffer;
  /** {@link sign} for many messages, where that is cheaper than one by one. */
  signMany?(key: PrivateKey, messages: readonly Buffer[]): Buffer[];
  /** Verifies an X.509 form under a key of {@link keyAlgorithm}; never throws for a bad signature. */
  verify(key: ImportedPublicKey, message: Buffer, signature: Buffer): boolean;
  /** A second verification that shares no code with {@link verify}, where there is one. */
  verifyIndependently?(key: ImportedPublicKey, message: Buffer, signature: Buffer): boolean;
  /** From the X.509 form to the form in JSON (r || s, or the same octets for RSA), and back. */
  toRaw(signature: Buffer): Buffer;
  fromRaw(raw: Buffer): Buffer;
}

/** Size of RSA keys that requesters are asked for. */
const RSA_REQUEST_BITS = 3072;

/** The kinds of key pair by name. */
export const KEY_ALGORITHMS: Readonly<Record<KeyAlgorithmName, KeyAlgorithm>> = {
  SM2: {
    name: 'SM2',
    blobNumber: 1,
    signatures: ['SM2-SM3'],
    defaultSignature: 'SM2-SM3',
    jsonSignature: 'SM2-SM3',
    requestAttribute: sequence(oid(OID.ecPublicKey), set(oid(OID.sm2p256v1))),
    async generateKeyPair() {
      const { scalar, point } = generateSm2Key();
      const pair = { pkcs8: encodeEcPkcs8('SM2', scalar, point), spki: encodeSm2Spki(point) };
      wipe(scalar);
      return pair;
    },
  },
  'EC-P256': {
    name: 'EC-P256',
    blobNumber: 2,
    signatures: ['ECDSA-P256-SHA256'],
    defaultSignature: 'ECDSA-P256-SHA256',
    jsonSignature: 'ECDSA-P256-SHA256',
    requestAttribute: sequence(oid(OID.ecPublicKey), set(oid(OID.prime256v1))),
    async generateKeyPair() {
      const { scalar, point } = generateP256Key();
      const pair = { pkcs8: encodeEcPkcs8('EC-P256', scalar, point), spki: encodeP256Spki(point) };
      wipe(scalar);
      return pair;
    },
  },
  RSA: {
    name: 'RSA',
    blobNumber: 3,
    signatures: ['RSA-SHA256', 'RSA-PSS-SHA256', 'RSA-SHA1'],
    defaultSignature: 'RSA-SHA256',
    jsonSignature: 'RSA-PSS-SHA256',
    requestAttribute: sequence(oid(OID.rsaEncryption), set(integer(RSA_REQUEST_BITS))),
    generateKeyPair: generateRsaKey,
  },
};

const SHA256_WITHOUT_NULL = sequence(oid(OID.sha256));
const SHA256_WITH_NULL = sequence(oid(OID.sha256), nullValue());

/** RSASSA-PSS with SHA-256, MGF1 with SHA-256, salt 32 (RFC 4055 3.1); NULL in the two hashes may be there or not. */
function pssIdentifier(hash: Buffer, maskHash: Buffer): Buffer {
  return sequence(
    oid(OID.rsassaPss),
    sequence(
      contextExplicit(0, hash),
      contextExplicit(1, sequence(oid(OID.mgf1), maskHash)),
      contextExplicit(2, integer(32)),
    ),
  );
}

function rsaSignature(
  name: SignatureAlgorithmName,
  algorithm: string,
  identifiers: readonly [Buffer, ...Buffer[]],
  scheme: RsaScheme,
): SignatureAlgorithm {
  return {
    name,
    keyAlgorithm: 'RSA',
    oid: algorithm,
    identifier: identifiers[0],
    acceptedIdentifiers: identifiers,
    sign: (key, message) => signRsa(key.keyObject, scheme, message),
    verify: ({ keyObject, info }, message, signature) =>
      info.rsa !== undefined && verifyRsa(keyObject, info.rsa, scheme, message, signature),
    toRaw: (signature) => signature,
    fromRaw: (raw) => raw,
  };
}

function withAndWithoutNull(algorithm: string): [Buffer, Buffer] {
  return [sequence(oid(algorithm), nullValue()), sequence(oid(algorithm))];
}

const RSA_SHA1 = rsaSignature('RSA-SHA1', OID.sha1WithRsaEncryption, withAndWithoutNull(OID.sha1WithRsaEncryption), {
  hash: 'sha1',
  padding: 'pkcs1',
});

/** The signature algorithms by name. */
export const SIGNATURE_ALGORITHMS: Readonly<Record<SignatureAlgorithmName, SignatureAlgorithm>> = {
  'SM2-SM3': {
    name: 'SM2-SM3',
    keyAlgorithm: 'SM2',
    oid: OID.sm2SignWithSm3,
    identifier: sequence(oid(OID.sm2SignWithSm3)),
    // Some CAs write NULL; GM/T 0015 says that it is not needed.
    acceptedIdentifiers: [sequence(oid(OID.sm2SignWithSm3)), sequence(oid(OID.sm2SignWithSm3), nullValue())],
    sign: (key, message) => signSm2(sm2SigningKey(key), message),
    signMany: (key, messages) => signSm2Many(sm2SigningKey(key), messages),
    verify: verifySm2,
    verifyIndependently: verifySm2Independently,
    toRaw: ecSignatureToRaw,
    fromRaw: ecSignatureFromRaw,
  },
  'ECDSA-P256-SHA256': {
    name: 'ECDSA-P256-SHA256',
    keyAlgorithm: 'EC-P256',
    oid: OID.ecdsaWithSha256,
    identifier: sequence(oid(OID.ecdsaWithSha256)),
    acceptedIdentifiers: [sequence(oid(OID.ecdsaWithSha256))],
    sign: (key, message) => signP256(key.keyObject, message),
    verify: ({ keyObject }, message, signature) => verifyP256(keyObject, message, signature),
    verifyIndependently: ({ info }, message, signature) => verifyP256Independently(info.keyBits, message, signature),
    toRaw: ecSignatureToRaw,
    fromRaw: ecSignatureFromRaw,
  },
  'RSA-SHA256': rsaSignature(
    'RSA-SHA256',
    OID.sha256WithRsaEncryption,
    withAndWithoutNull(OID.sha256WithRsaEncryption),
    { hash: 'sha256', padding: 'pkcs1' },
  ),
  'RSA-PSS-SHA256': rsaSignature(
    'RSA-PSS-SHA256',
    OID.rsassaPss,
    [
      pssIdentifier(SHA256_WITH_NULL, SHA256_WITH_NULL),
      pssIdentifier(SHA256_WITHOUT_NULL, SHA256_WITHOUT_NULL),
      pssIdentifier(SHA256_WITHOUT_NULL, SHA256_WITH_NULL),
      pssIdentifier(SHA256_WITH_NULL, SHA256_WITHOUT_NULL),
    ],
    { hash: 'sha256', padding: 'pss' },
  ),
  'RSA-SHA1': {
    ...RSA_SHA1,
    sign() {
      throw new KmcError('E_USAGE', 'RSA with SHA-1 is only for verifying old objects; sign with RSA-PSS-SHA256.');
    },
  },
};

const BY_IDENTIFIER: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  Object.values(SIGNATURE_ALGORITHMS).flatMap((algorithm) =>
    algorithm.acceptedIdentifiers.map((identifier): [string, SignatureAlgorithm] => [
      identifier.toString('latin1'),
      algorithm,
    ]),
  ),
);

/** The signature algorithm that an AlgorithmIdentifier (DER) names. Throws `E_SIGNATURE` for any other. */
export function signatureAlgorithmFromIdentifier(identifier: Buffer): SignatureAlgorithm {
  const algorithm = BY_IDENTIFIER.get(identifier.toString('latin1'));
  if (algorithm === undefined) {
    throw new KmcError('E_SIGNATURE', 'The signature algorithm is not one that is accepted here.');
  }
  return algorithm;
}

/** The algorithm that signs X.509 objects by default with keys of the kind of `spki`. Throws what `parseSpki` throws. */
export function defaultSignatureOf(spki: Buffer): SignatureAlgorithm {
  return SIGNATURE_ALGORITHMS[KEY_ALGORITHMS[importPublicKey(spki).info.algorithm].defaultSignature];
}

/** Signs the whole message. Throws `E_USAGE` when the key is of another kind or the algorithm only verifies. */
export function signMessage(name: SignatureAlgorithmName, key: PrivateKey, message: Buffer): Buffer {
  return algorithmFor(name, key).sign(key, message);
}

/** {@link signMessage} for each message. */
export function signMessages(name: SignatureAlgorithmName, key: PrivateKey, messages: readonly Buffer[]): Buffer[] {
  const algorithm = algorithmFor(name, key);
  return algorithm.signMany?.(key, messages) ?? messages.map((message) => algorithm.sign(key, message));
}

function algorithmFor(name: SignatureAlgorithmName, key: PrivateKey): SignatureAlgorithm {
  const algorithm = SIGNATURE_ALGORITHMS[name];
  if (key.algorithm === algorithm.keyAlgorithm) return algorithm;
  throw new KmcError('E_USAGE', `A key of the kind ${key.algorithm} does not make ${name} signatures.`);
}

/**
 * Verifies a signature in its X.509 form over the whole message; SM2 under the default ID. False for every bad signature
 * and for a key of another kind. Throws `E_DER`, `E_KEY` or `E_POINT` for an SPKI that is not acceptable.
 */
export function verifySignature(
  name: SignatureAlgorithmName,
  spki: Buffer,
  message: Buffer,
  signature: Buffer,
): boolean {
  const algorithm = SIGNATURE_ALGORITHMS[name];
  const key = importPublicKey(spki);
  return key.info.algorithm === algorithm.keyAlgorithm && algorithm.verify(key, message, signature);
}

/** {@link verifySignature} by a second implementation: SM2 and ECDSA. Throws `E_USAGE` where there is none. */
export function verifyIndependently(
  name: SignatureAlgorithmName,
  spki: Buffer,
  message: Buffer,
  signature: Buffer,
): boolean {
  const algorithm = SIGNATURE_ALGORITHMS[name];
  if (algorithm.verifyIndependently === undefined) {
    throw new KmcError('E_USAGE', `There is no second implementation of ${name}.`);
  }
  const key = importPublicKey(spki);
  return key.info.algorithm === algorithm.keyAlgorithm && algorithm.verifyIndependently(key, message, signature);
}
