/**
 * The engine port: the one place where plain key bytes exist. Handles go in, ciphertexts, signatures and public values
 * come out, so that worker threads, a faster kernel or a hardware module can take the place of the software engine.
 */
import type { KeyAlgorithmName, SignatureAlgorithmName } from './algorithms.ts';
import type { DataLabel } from './data-ciphertext.ts';
import type { EnvelopePacking } from './gm/envelope-packings.ts';
import type { ContentAlgorithm } from './gm/signed-enveloped.ts';

export type { DataLabel } from './data-ciphertext.ts';
export type { EnvelopePacking } from './gm/envelope-packings.ts';
export type { ContentAlgorithm } from './gm/signed-enveloped.ts';

/** A private key inside an engine. Only the engine that made it can use it. */
export interface KeyHandle {
  readonly kind: 'key';
  readonly algorithm: KeyAlgorithmName;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
}

/** Secret bytes inside an engine: a key-encryption key, a share, an enrolment token. */
export interface SecretHandle {
  readonly kind: 'secret';
  /** Length in bytes. */
  readonly length: number;
}

/** What a blob is bound to (header of blob suite 1): a blob opens only under exactly this context. */
export interface BlobContext {
  /** `^[a-z0-9][a-z0-9-]{0,63}$` */
  readonly keyId: string;
  /** What the content may be used for, e.g. `sign`, `encrypt`, `kek`, `share`, `token`: `^[a-z0-9][a-z0-9-]{0,31}$` */
  readonly usage: string;
  readonly objectVersion: number;
}

/** The purposes of key-encryption keys; the number is the `purpose` octet of blob suite 1. */
export const KEK_PURPOSES = {
  master: 1,
  'escrow-store': 2,
  'ca-keys': 3,
  backup: 4,
  'db-field': 5,
  'audit-mac': 6,
  transport: 7,
  'root-keys': 8,
} as const;
export type KekPurpose = keyof typeof KEK_PURPOSES;

/** A key-encryption key ready for use: its secret with the purpose and version that every blob under it names. */
export interface KeyEncryptionKey {
  readonly purpose: KekPurpose;
  readonly version: number;
  readonly secret: SecretHandle;
}

/** One Shamir share with its public part; `secret` holds the 33-octet share (y || x) inside the engine. */
export interface ShareHandle {
  readonly setId: string; // 32 hex digits
  readonly threshold: number;
  readonly count: number;
  /** x coordinate, 1..255. */
  readonly index: number;
  readonly secret: SecretHandle;
}

/** The public list that names a wrong share before anything is combined. */
export interface ShareSetPublic {
  readonly setId: string;
  readonly threshold: number;
  readonly count: number;
  /** commitments[i] is SM3("share" || setId || index || y) in hex, of the share with that index. */
  readonly commitments: readonly { readonly index: number; readonly commitment: string }[];
}

/** Whom a signed package with a private key goes to. */
export interface KeyPackageRecipient {
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** IssuerAndSerialNumber, DER. */
  readonly identifier: Buffer;
}

/** Who signs a package with a private key. */
export interface KeyPackageSigner {
  readonly key: KeyHandle;
  /** IssuerAndSerialNumber of the signer's certificate, DER. */
  readonly identifier: Buffer;
  /** Certificates to go with it, DER each. */
  readonly certificates: readonly Buffer[];
}

/** A key pair whose private half never stood outside of the engine but sealed. */
export interface SealedKeyPair {
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** What `sealKey` would have made of the private key under the pair's context. */
  readonly sealedKey: Buffer;
}

/** A key with what its ciphertext is bound to. */
export interface LabelledKey {
  readonly key: SecretHandle | KeyHandle;
  readonly label: DataLabel;
}

/** Every operation refuses, with E_KEY, a handle that was destroyed, copied or made by another engine. */
export interface CryptoEngine {
  /** `software` for the built-in engine; shown in transcripts and in the status page. */
  readonly name: string;

  /** Runs the known-answer tests. @throws KmcError E_SELF_TEST naming the failed test; the service must not start. */
  selfTest(): Promise<void>;

  // private keys
  /** Makes a key pair and checks it pairwise. `bits` is for RSA only (default 3072). */
  generateKeyPair(algorithm: KeyAlgorithmName, bits?: number): Promise<KeyHandle>;
  /**
   * Signs `message` (the whole message, not a digest). SM2 uses the default ID. The signature comes in its X.509 form:
   * DER SEQUENCE{r,s} for SM2 and ECDSA, bare octets for RSA.
   * @throws KmcError E_USAGE when the key is not of that algorithm.
   */
  sign(key: KeyHandle, algorithm: SignatureAlgorithmName, message: Buffer): Promise<Buffer>;
  /** Decrypts a DER SM2Cipher into a secret that stays in the engine. @throws KmcError E_DECRYPT (one text for all). */
  decryptSecret(key: KeyHandle, ciphertext: Buffer): Promise<SecretHandle>;
  /** Forgets the key and wipes its bytes. */
  destroyKey(key: KeyHandle): void;

  // key files of people and devices
  /** Opens an encrypted PKCS#8 (DER). @throws KmcError E_PASSPHRASE, E_DER, E_KEY. */
  importPkcs8(encrypted: Buffer, passphrase: Buffer): Promise<KeyHandle>;
  /** Writes an encrypted PKCS#8 (DER): `gmssl` = PBKDF2-HMAC-SM3 and SM4-CBC, `openssl` = PBKDF2-HMAC-SHA256 and AES-256-CBC. */
  exportPkcs8(key: KeyHandle, passphrase: Buffer, shape: 'gmssl' | 'openssl'): Promise<Buffer>;
  /** Opens a PKCS#12 (legacy RSA estates) behind the strict DER gate. Certificates come back as DER. */
  importPkcs12(pfx: Buffer, passphrase: Buffer): Promise<{ key: KeyHandle; certificates: Buffer[] }>;

  // secrets
  /** 16 to 1024 random octets. @throws KmcError E_USAGE for another length. */
  generateSecret(length: number): Promise<SecretHandle>;
  /** A one-time token: 160 random bits as 32 characters of base32 (RFC 4648, upper case), ASCII. */
  generateToken(): Promise<SecretHandle>;
  destroySecret(secret: SecretHandle): void;
  /** SM3 of the secret, for look-ups of high-entropy secrets (tokens) only. */
  digestSecret(secret: SecretHandle): Promise<Buffer>;
  /** HMAC-SM3, 32 octets. */
  mac(secret: SecretHandle, message: Buffer): Promise<Buffer>;
  /** Compares in constant time. */
  verifyMac(secret: SecretHandle, message: Buffer, mac: Buffer): Promise<boolean>;
  /** First 8 octets of HMAC-SM3(secret, "KCV" || keyId). */
  keyCheckValue(secret: SecretHandle, keyId: string): Promise<Buffer>;
  /**
   * Encrypts a secret to an SM2 public key: DER SM2Cipher. This is how tokens leave an engine.
   * @throws KmcError E_KEY (a key of another kind), E_DER, E_POINT.
   */
  encryptSecretTo(secret: SecretHandle, recipientSpki: Buffer): Promise<Buffer>;
  /**
   * Hands a one-time token out in the clear, in the form of `generateToken`: tokens are the one secret that is made to be
   * given to a person. The caller wipes it.
   * @throws KmcError E_USAGE for a secret that has not the form of a token.
   */
  releaseToken(secret: SecretHandle): Promise<Buffer>;

  // data under managed keys (data-ciphertext.ts): a symmetric secret, or an SM2 key; E_USAGE for another kind of key
  /** Encrypts data. @throws KmcError E_SIZE above 1 MiB, E_ID, E_SCHEMA (label). */
  encryptData(key: SecretHandle | KeyHandle, label: DataLabel, content: Buffer): Promise<Buffer>;
  /** The reverse; the caller wipes what it gets. @throws KmcError E_DECRYPT, with one text for every reason. */
  decryptData(key: SecretHandle | KeyHandle, label: DataLabel, ciphertext: Buffer): Promise<Buffer>;
  /** Decrypts and encrypts anew; the content stays in the engine. @throws KmcError as the two. */
  rewrapData(from: LabelledKey, to: LabelledKey, ciphertext: Buffer): Promise<Buffer>;
  /** A new SM4 key that an application gets to encrypt with by itself: 16 octets. */
  generateDataKey(): Promise<SecretHandle>;
  /** Encrypts a secret as `encryptData` does: `decryptData` gives its octets. */
  wrapDataKey(key: SecretHandle | KeyHandle, label: DataLabel, dataKey: SecretHandle): Promise<Buffer>;
  /** Decrypts into a secret that stays in the engine. @throws KmcError as `decryptData`. */
  unwrapDataKey(key: SecretHandle | KeyHandle, label: DataLabel, ciphertext: Buffer): Promise<SecretHandle>;
  /** Hands a key of `generateDataKey` out in the clear; the caller wipes it. @throws KmcError E_USAGE for any other. */
  releaseDataKey(dataKey: SecretHandle): Promise<Buffer>;

  // sealing (blob suite 1)
  sealKey(kek: KeyEncryptionKey, context: BlobContext, key: KeyHandle): Promise<Buffer>;
  /** @throws KmcError E_SUITE (suite octet is not 1), E_SIZE; E_BLOB_AUTH for every other failure, with one text. */
  openKey(kek: KeyEncryptionKey, context: BlobContext, blob: Buffer): Promise<KeyHandle>;
  sealSecret(kek: KeyEncryptionKey, context: BlobContext, secret: SecretHandle): Promise<Buffer>;
  openSecret(kek: KeyEncryptionKey, context: BlobContext, blob: Buffer): Promise<SecretHandle>;
  /** Seals data that is no key, at most 1 MiB: a part of a backup. It opens as data alone. @throws KmcError E_SIZE. */
  sealData(kek: KeyEncryptionKey, context: BlobContext, data: Buffer): Promise<Buffer>;
  /** @throws KmcError as `openKey`. */
  openData(kek: KeyEncryptionKey, context: BlobContext, blob: Buffer): Promise<Buffer>;

  // bulk work, beside the event loop where an engine can do that
  /**
   * Makes an SM2 key pair for each context, checks it, and seals it as `sealKey` does: for pools of keys, which are opened
   * again (`openKey`) when they are handed out. All or none; the results stand in the order of the contexts.
   * @throws KmcError E_SELF_TEST when a pair is not consistent; E_ID for a context that does not fit.
   */
  generateSealedPairs(kek: KeyEncryptionKey, contexts: readonly BlobContext[]): Promise<SealedKeyPair[]>;
  /** Signs each message as `sign` does; the signatures stand in their order. @throws KmcError E_USAGE as `sign`. */
  signMany(key: KeyHandle, algorithm: SignatureAlgorithmName, messages: readonly Buffer[]): Promise<Buffer[]>;

  // envelopes of SM2 private keys (GM/T 0009, 0010, 0016)
  /** Envelopes an SM2 private key to another SM2 public key: SM2EnvelopedKey DER unless another packing is asked for. */
  envelopeKey(key: KeyHandle, recipientSpki: Buffer, packing?: EnvelopePacking): Promise<Buffer>;
  /**
   * Opens an envelope of that packing (SM2EnvelopedKey unless told) and checks that dG equals the public key in it.
   * @throws KmcError E_DECRYPT, E_KEY, E_DER, E_POINT.
   */
  openEnvelopedKey(recipient: KeyHandle, envelopedKey: Buffer, packing?: EnvelopePacking): Promise<KeyHandle>;
  /**
   * Envelopes an SM2 private key and signs it: bare SignedAndEnvelopedData (GM/T 0010), DER. `contentAlgorithm` is how
   * SM4-ECB is named in it, the OID sm4 unless told.
   * @throws KmcError E_USAGE (not SM2 keys), E_KEY, E_DER, E_POINT (recipient).
   */
  packageKey(
    key: KeyHandle,
    to: KeyPackageRecipient,
    by: KeyPackageSigner,
    contentAlgorithm?: ContentAlgorithm,
  ): Promise<Buffer>;
  /**
   * Opens such a package, with or without ContentInfo; `spki` is the public key that belongs to it, `signerSpki` the
   * signer's.
   * @throws KmcError E_SIGNATURE, E_DECRYPT, E_KEY (another key than `spki`), E_DER, E_POINT.
   */
  openKeyPackage(recipient: KeyHandle, keyPackage: Buffer, spki: Buffer, signerSpki: Buffer): Promise<KeyHandle>;

  // shares
  /** Splits a 32-octet secret k of n, 2 <= k <= n <= 255. @throws KmcError E_USAGE. */
  splitSecret(
    secret: SecretHandle,
    threshold: number,
    count: number,
  ): Promise<{ shares: ShareHandle[]; set: ShareSetPublic }>;
  /**
   * Encrypts a share envelope (version, set, k, n, x, y, holder, checksum) to an SM2 key: DER SM2Cipher. The envelope
   * names its holder by `holderCertificateSm3`, SM3 of the certificate's DER (32 octets); the recipient is the holder's
   * own key at hand-out, a transport key when the holder hands the share in.
   */
  encryptShareTo(share: ShareHandle, recipientSpki: Buffer, holderCertificateSm3: Buffer): Promise<Buffer>;
  /**
   * Opens a share envelope and checks that it is that holder's.
   * @throws KmcError E_SHARE_BAD (damaged, or another holder's), E_DECRYPT.
   */
  decryptShare(recipient: KeyHandle, ciphertext: Buffer, holderCertificateSm3: Buffer): Promise<ShareHandle>;
  /**
   * A share in its form for paper (src/crypto/share-text.ts), ASCII: the one form in which a share leaves an engine in
   * clear, to be printed once for its holder. The caller wipes it.
   */
  writeShareText(share: ShareHandle): Promise<Buffer>;
  /** Reads a share that was typed in. @throws KmcError E_SHARE_BAD naming the wrong groups. */
  readShareText(text: Buffer): Promise<ShareHandle>;
  /**
   * Combines shares after checking each against the public list.
   * @throws KmcError E_SHARE_SET (other set), E_SHARE_BAD (damaged, or the handle lies), E_SAME_PERSON (index twice), each
   * naming every such share by index in its text and by position in `pointers`; E_SHARES_FEW; E_SCHEMA (public list).
   */
  combineShares(shares: readonly ShareHandle[], set: ShareSetPublic): Promise<SecretHandle>;
}
