/**
 * The errors of the CA-KMC protocol (GM/T 0014) and their numbers. The standard's own numbers were not at hand: these are
 * ours, stable, and stand in this one table. A number below 10 refuses the whole message, the others one request of it.
 */
import type { ErrorCode } from '../errors.ts';

export interface CaKmcErrorRule {
  /** errNo. */
  readonly number: number;
  /** errDesc: for the people behind the CA, and what to do. */
  readonly text: string;
  /** As which error it is recorded. */
  readonly code: ErrorCode;
}

export const CA_KMC_ERRORS = {
  malformed: { number: 1, code: 'E_DER', text: 'The message is not a CARequest in strict DER. Nothing was done.' },
  'unknown-ca': {
    number: 2,
    code: 'E_UNAUTHENTICATED',
    text: 'No certification authority is registered with that communication certificate, or it is not in force.',
  },
  'bad-signature': {
    number: 3,
    code: 'E_SIGNATURE',
    text: 'The signature does not verify under the registered communication certificate (SM2 with SM3, default ID).',
  },
  'stale-time': {
    number: 4,
    code: 'E_TIME',
    text: 'requestTime is too far from the time of the key management centre. Set the clock and sign a new message.',
  },
  'answer-erased': {
    number: 5,
    code: 'E_STALE',
    text: 'This very message was answered before, and the answer is not kept any more. Ask for a restore instead.',
  },
  'algorithm-not-served': {
    number: 10,
    code: 'E_USAGE',
    text: 'Keys are SM2 of 256 bits, returned under SM2 encryption, SM4-ECB and SM3.',
  },
  'bad-serial': {
    number: 11,
    code: 'E_SCHEMA',
    text: 'userCertNo is not a positive serial number of at most 20 octets, or stands twice in this message.',
  },
  'serial-in-use': {
    number: 12,
    code: 'E_CONFLICT',
    text: 'A key was given out for that userCertNo already. Take another serial number, or ask for a restore.',
  },
  'bad-user-key': {
    number: 13,
    code: 'E_KEY',
    text: 'userPubKey is not an SM2 public key that may be used: on the curve, 65 octets, not blocked.',
  },
  'bad-validity': {
    number: 14,
    code: 'E_PERIOD',
    text: 'The validity is over, or ends before it begins, or is longer than policy lets an encryption key be.',
  },
  'bad-user-name': {
    number: 15,
    code: 'E_SCHEMA',
    text: 'userName is neither an acceptable Name in DER nor a short text in UTF-8.',
  },
  'no-such-key': {
    number: 16,
    code: 'E_NOT_FOUND',
    text: 'No key was given out for that userCertNo to this authority.',
  },
  'wrong-state': { number: 17, code: 'E_STATE', text: 'The state of the key does not allow it.' },
  'approval-needed': {
    number: 18,
    code: 'E_PENDING',
    text: 'The key is not restored at once to that userPubKey: people decide. Ask again once they have approved.',
  },
  'pool-empty': { number: 19, code: 'E_POOL_EMPTY', text: 'No key is ready. Send a new message a little later.' },
} as const satisfies Readonly<Record<string, CaKmcErrorRule>>;

export type CaKmcError = keyof typeof CA_KMC_ERRORS;

/** Seconds by which requestTime may differ from the time here. */
export const REQUEST_WINDOW_SECONDS = 300;
/** Seconds for which the same signed message gets the same response. */
export const ANSWER_KEPT_SECONDS = 72 * 3600;
