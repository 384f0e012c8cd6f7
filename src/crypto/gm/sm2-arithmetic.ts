/** What the SM2 algorithms stand on. There are two implementations; sm2-implementations.ts says which one is at work. */
import type { KeyObject } from 'node:crypto';
import type { RandomSource } from '../random.ts';
import type { Sm2Ciphertext } from './sm2-ciphertext.ts';

/** A private key for signing, inside an engine. */
export interface Sm2SigningKey {
  /** d, 32 octets in [1, n-2]: a view of what the key owns. */
  readonly scalar: Buffer;
  /** 65 octets. */
  readonly point: Buffer;
  /** Imported from PKCS#8. */
  readonly keyObject: KeyObject;
  /** A secret computed from the key once; it is kept with the key and wiped with it. */
  derived(compute: () => Buffer): Buffer;
}

/** A public key for verification. */
export interface Sm2VerificationKey {
  /** 65 octets, on the curve. */
  readonly point: Buffer;
  /** Imported from SPKI. */
  readonly keyObject: KeyObject;
}

export interface Sm2SharedPointInput {
  readonly scalar: Buffer;
  readonly ephemeralScalar: Buffer;
  readonly ephemeralPoint: Buffer;
  readonly peerPoint: Buffer;
  readonly peerEphemeralPoint: Buffer;
}

/** Points are 65 octets, scalars 32. */
export interface Sm2Arithmetic {
  /** dG for each d in [1, n-1]. */
  multiplyBase(scalars: readonly Buffer[]): Buffer[];
  /** True for (x, y) on the curve with x, y < p; `point` has 65 octets that start with 04. */
  isOnCurve(point: Buffer): boolean;
  /** DER signatures over the messages behind Z. */
  sign(key: Sm2SigningKey, z: Buffer, messages: readonly Buffer[], random: RandomSource): Buffer[];
  /** Verifies a DER signature, of which form and range were checked. */
  verify(key: Sm2VerificationKey, z: Buffer, message: Buffer, signature: Buffer): boolean;
  /** The same verdict by code that shares nothing with {@link sign} and {@link verify}; `identity` is what Z is the SM3 of. */
  verifyIndependently(key: Sm2VerificationKey, identity: Buffer, message: Buffer, signature: Buffer): boolean;
  /** Encrypts with a nonce in [1, n-1] to a point of the curve; undefined when the key stream is all zero. */
  encrypt(point: Buffer, message: Buffer, nonce: Buffer): Sm2Ciphertext | undefined;
  /** Undefined when the ciphertext is not for this key; C1 may be off the curve. The caller wipes the message. */
  decrypt(scalar: Buffer, ciphertext: Sm2Ciphertext): Buffer | undefined;
  /** x || y of the shared point of a key exchange (GB/T 32918.3), undefined when there is none. The caller wipes it. */
  sharedPoint(input: Sm2SharedPointInput): Buffer | undefined;
}
