/** SIGNED{}: what certificates, CRLs, requests and OCSP responses have in common (RFC 5280 4.1.1, RFC 2986 4.2). */
import { signatureAlgorithmFromIdentifier } from '../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../crypto/algorithms.ts';
import { bitString, decodeSequence, readBitString, sequence, TAG } from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { KmcError } from '../errors.ts';

/** A signed structure taken apart; nothing in it is verified yet. */
export interface SignedObject {
  /** The whole structure, DER. */
  readonly der: Buffer;
  /** The part that is signed. */
  readonly tbs: DerElement;
  /** AlgorithmIdentifier, DER, as it stands behind the signed part. */
  readonly algorithmIdentifier: Buffer;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** The octets of the signature BIT STRING. */
  readonly signature: Buffer;
}

/**
 * Takes SEQUENCE { tbs, signatureAlgorithm, signatureValue } apart. `what` names the structure in errors; `maxBytes` is
 * the longest accepted input (1 MiB unless told). Throws `E_DER` for another structure, `E_SIZE` for too long a one, and
 * what `signatureAlgorithmFromIdentifier` throws for an algorithm that is not accepted.
 */
export function splitSignedObject(der: Buffer, what: string, maxBytes?: number): SignedObject {
  const fields = decodeSequence(der, what, maxBytes === undefined ? {} : { maxBytes });
  const tbs = fields.next(TAG.sequence, `the signed part of the ${what}`);
  const algorithmIdentifier = fields.next(TAG.sequence, `the signatureAlgorithm of the ${what}`).encoded;
  const signature = readBitString(fields.next(TAG.bitString, `the signature of the ${what}`));
  fields.end(what);
  if (signature.unusedBits !== 0) throw new KmcError('E_DER', `The signature of the ${what} is not whole octets.`);
  return {
    der,
    tbs,
    algorithmIdentifier,
    signatureAlgorithm: signatureAlgorithmFromIdentifier(algorithmIdentifier).name,
    signature: signature.bytes,
  };
}

/**
 * Refuses a structure whose signed part names another algorithm than stands behind it (RFC 5280 4.1.1.2). `inner` is
 * that field, DER; every octet must be the same, so NULL parameters in one and none in the other differ. Throws `E_DER`.
 */
export function requireSameAlgorithm(signed: SignedObject, inner: Buffer, what: string): void {
  if (signed.algorithmIdentifier.equals(inner)) return;
  throw new KmcError('E_DER', `The signature algorithms inside and outside the signed part of the ${what} differ.`);
}

/** SEQUENCE { tbs, signatureAlgorithm, signatureValue } of DER parts and the signature octets. */
export function encodeSignedObject(tbs: Buffer, algorithmIdentifier: Buffer, signature: Buffer): Buffer {
  return sequence(tbs, algorithmIdentifier, bitString(signature));
}
