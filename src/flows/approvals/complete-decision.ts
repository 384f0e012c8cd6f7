import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { readDecisionBytes, verifyDecision, type SignedDecision } from '../../domain/approval/decision.ts';

export interface ForeignSignature {
  /** The octets that were signed, as `decisionBytes` gave them. */
  readonly bytes: Buffer;
  /** SM2 over them with ID 1234567812345678: raw r||s (64 octets), or DER SEQUENCE { r, s } as openssl writes it. */
  readonly signature: Buffer;
  /** Of the key that signed, DER. */
  readonly certificate: Buffer;
}

const RAW_OCTETS = 64;

/**
 * Puts a decision together that another tool signed (a hardware token, openssl), and proves it before anybody sends it.
 * @throws KmcError E_APPROVAL (octets of something else, or the certificate of another decision), E_SIGNATURE, E_DER,
 * E_CERT, E_JSON, E_SCHEMA.
 */
export function completeDecision({ bytes, signature, certificate }: ForeignSignature): SignedDecision {
  const raw = signature.length === RAW_OCTETS ? signature : SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature);
  const decision = {
    body: readDecisionBytes(bytes),
    signature: raw.toString('base64'),
    certificate: certificate.toString('base64'),
  };
  verifyDecision(decision);
  return decision;
}
