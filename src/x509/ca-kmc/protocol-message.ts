/** The signed frame of both directions of GM/T 0014: SEQUENCE { signed part, signatureAlgorithm, OCTET STRING }. */
import { SIGNATURE_ALGORITHMS, signatureAlgorithmFromIdentifier, verifySignature } from '../../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../../crypto/algorithms.ts';
import { decodeSequence, octetString, readOctetString, sequence, TAG } from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';

/** A message taken apart; nothing in it is verified yet. */
export interface ProtocolMessage {
  /** KSRequest or KSRespond. */
  readonly signed: DerElement;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** DER SEQUENCE { r, s } for SM2. */
  readonly signature: Buffer;
}

/** Takes a message apart. Throws `E_DER`, `E_SIZE`, and `E_SIGNATURE` for an algorithm that is not accepted. */
export function splitProtocolMessage(der: Buffer, what: string, maxBytes: number): ProtocolMessage {
  const fields = decodeSequence(der, what, { maxBytes });
  const signed = fields.next(TAG.sequence, `the signed part of the ${what}`);
  const identifier = fields.next(TAG.sequence, 'signatureAlgorithm').encoded;
  const signature = readOctetString(fields.next(TAG.octetString, 'signatureValue'));
  fields.end(what);
  return { signed, signatureAlgorithm: signatureAlgorithmFromIdentifier(identifier).name, signature };
}

/** The message of a signed part and its signature, DER. */
export function encodeProtocolMessage(signed: Buffer, algorithm: SignatureAlgorithmName, signature: Buffer): Buffer {
  return sequence(signed, SIGNATURE_ALGORITHMS[algorithm].identifier, octetString(signature));
}

/** True when the message is signed by the key of `spki` (DER); SM2 with the default ID. */
export function verifyProtocolMessage(message: ProtocolMessage, spki: Buffer): boolean {
  return verifySignature(message.signatureAlgorithm, spki, message.signed.encoded, message.signature);
}
