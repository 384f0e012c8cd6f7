/** Exit codes of the command line, and the one table from error code to exit code. */
import type { ErrorCode, KmcError } from '../errors.ts';

export const EXIT = {
  ok: 0,
  usage: 1,
  refused: 2,
  waitsForApproval: 3,
  verificationFailed: 4,
  notFound: 5,
  notAllowed: 6,
  conflict: 7,
  partlyDone: 8,
  internal: 70,
} as const;

const OF_CODE: Partial<Record<ErrorCode, number>> = {
  E_USAGE: EXIT.usage,
  E_ID: EXIT.usage,
  E_PENDING: EXIT.waitsForApproval,
  E_QUORUM: EXIT.waitsForApproval,
  E_LINT: EXIT.verificationFailed,
  E_SIGNATURE: EXIT.verificationFailed,
  E_DER: EXIT.verificationFailed,
  E_POINT: EXIT.verificationFailed,
  E_KEY: EXIT.verificationFailed,
  E_POP: EXIT.verificationFailed,
  E_CERT: EXIT.verificationFailed,
  E_CRL: EXIT.verificationFailed,
  E_CSR: EXIT.verificationFailed,
  E_TRUST: EXIT.verificationFailed,
  E_JSON: EXIT.verificationFailed,
  E_SCHEMA: EXIT.verificationFailed,
  E_SHARE_BAD: EXIT.verificationFailed,
  E_SHARE_SET: EXIT.verificationFailed,
  E_NOT_FOUND: EXIT.notFound,
  E_FORBIDDEN: EXIT.notAllowed,
  E_SAME_PERSON: EXIT.notAllowed,
  E_UNAUTHENTICATED: EXIT.notAllowed,
  E_POLICY: EXIT.notAllowed,
  E_TIME: EXIT.notAllowed,
  E_CONFLICT: EXIT.conflict,
  E_EXISTS: EXIT.conflict,
  E_STATE: EXIT.conflict,
  E_STALE: EXIT.conflict,
  E_AUDIT: EXIT.internal,
  E_INTERNAL: EXIT.internal,
  E_INTEGRITY: EXIT.internal,
  E_SELF_TEST: EXIT.internal,
};

/** Where the same code means something else when the service answered it: it refused, nothing here failed to verify. */
const OF_REMOTE_CODE: Partial<Record<ErrorCode, number>> = {
  E_AUDIT: EXIT.refused,
  E_JSON: EXIT.refused,
  E_SCHEMA: EXIT.refused,
};

/** The exit code of an error; what is fatal here is internal (70), every code not named is a refusal (2). */
export function exitCodeOf({ code, remote, fatal }: Pick<KmcError, 'code' | 'remote' | 'fatal'>): number {
  if (fatal && !remote) return EXIT.internal;
  return (remote ? OF_REMOTE_CODE[code] : undefined) ?? OF_CODE[code] ?? EXIT.refused;
}
