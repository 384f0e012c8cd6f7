/** SM2 key exchange (GB/T 32918.3) with key confirmation. */
import { KmcError } from '../../errors.ts';
import { concat, wipe } from '../bytes.ts';
import { SM2_FIELD_LENGTH } from './sm2-curve.ts';
import { sm2Arithmetic } from './sm2-implementations.ts';
import { sm2Kdf } from './sm2-kdf.ts';
import { assertSm2Scalar, sm2PublicPoint } from './sm2-key.ts';
import { assertSm2Point, sm2MultiplyBase } from './sm2-point.ts';
import { computeZ, SM2_DEFAULT_ID } from './sm2-sign.ts';
import { sm3 } from './sm3.ts';

export interface Sm2KeyAgreement {
  /** The initiator is user A: its Z and its ephemeral point stand first in every hash. */
  readonly role: 'initiator' | 'responder';
  /** Own private key and own ephemeral private key, 32 octets each; the caller wipes them. */
  readonly scalar: Buffer;
  readonly ephemeralScalar: Buffer;
  readonly id?: Buffer;
  /** The peer's public key and ephemeral public key, 65 octets each. */
  readonly peerPoint: Buffer;
  readonly peerEphemeralPoint: Buffer;
  readonly peerId?: Buffer;
  /** Octets of the agreed key. */
  readonly length: number;
}

export interface Sm2AgreedKey {
  /** The caller wipes it. */
  readonly key: Buffer;
  /** What to send to the peer, and what the peer must send, to confirm the key (32 octets each). */
  readonly confirmation: Buffer;
  readonly peerConfirmation: Buffer;
}

/** U = t (P_peer + x~ R_peer), as x || y, which the caller wipes. */
function sharedPoint(agreement: Sm2KeyAgreement, ephemeralPoint: Buffer): Buffer {
  assertSm2Point(agreement.peerEphemeralPoint);
  const shared = sm2Arithmetic().sharedPoint({ ...agreement, ephemeralPoint });
  if (shared !== undefined) return shared;
  throw new KmcError('E_POINT', 'The SM2 key exchange gives no key with these points; begin it anew.');
}

/**
 * Agrees on a key. Throws `E_KEY` for an own scalar out of range, `E_POINT` for a point that is not acceptable or when
 * U is the point at infinity, `E_ID` for an identity too long.
 */
export function agreeSm2Key(agreement: Sm2KeyAgreement): Sm2AgreedKey {
  assertSm2Scalar(agreement.scalar);
  assertSm2Scalar(agreement.ephemeralScalar);
  const ephemeralPoint = sm2MultiplyBase(agreement.ephemeralScalar);
  const own = {
    z: computeZ(sm2PublicPoint(agreement.scalar), agreement.id ?? SM2_DEFAULT_ID),
    ephemeral: ephemeralPoint.subarray(1),
  };
  const peer = {
    z: computeZ(agreement.peerPoint, agreement.peerId ?? SM2_DEFAULT_ID),
    ephemeral: agreement.peerEphemeralPoint.subarray(1),
  };
  const [initiator, responder] = agreement.role === 'initiator' ? [own, peer] : [peer, own];
  const shared = sharedPoint(agreement, ephemeralPoint);
  const [x, y] = [shared.subarray(0, SM2_FIELD_LENGTH), shared.subarray(SM2_FIELD_LENGTH)];
  const seed = concat(shared, initiator.z, responder.z);
  try {
    const inner = sm3(x, initiator.z, responder.z, initiator.ephemeral, responder.ephemeral);
    const ofResponder = sm3(Buffer.from([2]), y, inner);
    const ofInitiator = sm3(Buffer.from([3]), y, inner);
    const [confirmation, peerConfirmation] =
      agreement.role === 'initiator' ? [ofInitiator, ofResponder] : [ofResponder, ofInitiator];
    return { key: sm2Kdf(seed, agreement.length), confirmation, peerConfirmation };
  } finally {
    wipe(shared, seed);
  }
}
