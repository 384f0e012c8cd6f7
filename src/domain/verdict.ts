/** What the service says of a certificate chain, and what two gateways sign to prove themselves to each other (C.5). */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, verifySignature } from '../crypto/algorithms.ts';
import { KmcError } from '../errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { SignedObject } from './signed-body.ts';

/** Reasons that no path rule gives: what the service knows of a certificate besides its octets. */
const STATUS_REASONS = {
  revoked: 'RFC 5280 6.3',
  'on-hold': 'RFC 5280 5.3.1',
  'not-issued': 'RFC 6960 2.2',
  'status-unknown': 'RFC 5280 6.3.3',
  'device-not-in-service': 'enrolment-and-root-upgrade C.3',
  'authority-revoked': 'RFC 5280 6.3',
  'peer-challenge': 'enrolment-and-root-upgrade C.5',
  'peer-signature': 'enrolment-and-root-upgrade C.5',
} as const;
export type StatusReason = keyof typeof STATUS_REASONS;

export interface VerdictReason extends SignedObject {
  readonly code: string;
  /** The clause that the reason comes from. */
  readonly clause: string;
  readonly subject: string;
  readonly serialNumber: string;
  readonly detail: string;
}

/** A reason about one certificate. */
export function statusReason(
  code: StatusReason,
  { subject, serialNumber }: Pick<Certificate, 'subject' | 'serialNumber'>,
  detail: string,
): VerdictReason {
  return { code, clause: STATUS_REASONS[code], subject: subject.text, serialNumber, detail };
}

const PEER_PREFIX = Buffer.from('KMC-PEER-V1\0', 'ascii');

/**
 * What the challenged gateway signs: `"KMC-PEER-V1" 0x00 || nonce || SM3(challenger) || SM3(peer)`, the two digests over
 * the signing certificates.
 * @param nonce base64url of 32 octets.
 * @param challengerSm3 and `peerSm3`: `sm3:<hex>`.
 */
export function peerMessage(nonce: string, challengerSm3: string, peerSm3: string): Buffer {
  const digest = (text: string): Buffer => Buffer.from(text.slice('sm3:'.length), 'hex');
  return Buffer.concat([PEER_PREFIX, Buffer.from(nonce, 'base64url'), digest(challengerSm3), digest(peerSm3)]);
}

/** True when `signature` (its JSON form: raw r||s for SM2 and ECDSA) is one by the key of the certificate. */
export function isSignedBy({ spki, keyAlgorithm }: Certificate, message: Buffer, signature: Buffer): boolean {
  const algorithm = KEY_ALGORITHMS[keyAlgorithm].jsonSignature;
  try {
    return verifySignature(algorithm, spki, message, SIGNATURE_ALGORITHMS[algorithm].fromRaw(signature));
  } catch (error) {
    if (error instanceof KmcError) return false;
    throw error;
  }
}
