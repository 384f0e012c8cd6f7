/** RFC 9457 problem details: the one table from error code to HTTP status, and the answer that people and programs read. */
import { KmcError, type Blocker, type ErrorCode } from '../errors.ts';

/** A code without a status does not compile. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  E_APPROVAL: 403,
  E_AUDIT: 503,
  E_BLOB_AUTH: 500,
  E_CERT: 400,
  E_CONFIG: 500,
  E_CONFLICT: 409,
  E_CRL: 400,
  E_CSR: 400,
  E_DECRYPT: 400,
  E_DER: 400,
  E_EXISTS: 409,
  E_FORBIDDEN: 403,
  E_ID: 400,
  E_INTEGRITY: 500,
  E_INTERNAL: 500,
  E_JSON: 400,
  E_KEY: 400,
  E_KEY_BLOCKED: 403,
  E_KEY_TAKEN: 409,
  E_LINT: 422,
  E_METHOD: 405,
  E_NOT_FOUND: 404,
  E_PASSPHRASE: 400,
  E_PENDING: 202,
  E_PERIOD: 409,
  E_POINT: 400,
  E_POLICY: 403,
  E_POOL_EMPTY: 503,
  E_POP: 400,
  E_QUORUM: 409,
  E_QUOTA: 409,
  E_RATE: 429,
  E_ROLLBACK: 500,
  E_SAME_PERSON: 403,
  E_SCHEMA: 400,
  E_SEALED: 503,
  E_SELF_TEST: 500,
  E_SHARE_BAD: 400,
  E_SHARE_SET: 400,
  E_SHARES_FEW: 409,
  E_SIGNATURE: 400,
  E_SIZE: 413,
  E_STALE: 409,
  E_STATE: 409,
  E_STORAGE: 503,
  E_SUITE: 500,
  E_TIME: 401,
  E_TOKEN: 403,
  E_TRUST: 422,
  E_TYPE: 415,
  E_UNAUTHENTICATED: 401,
  E_USAGE: 400,
};

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly requestId: string;
  /** The rule that was broken, where the code stands for a table of rules. */
  readonly rule?: string;
  /** Everything that stands in the way, where guards were asked. */
  readonly blockedBy?: readonly Blocker[];
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** What is told of a fault on our side; the cause stands in the service's own log only. */
const INTERNAL_DETAIL = 'the service met an internal fault: quote the requestId to the operators';

/**
 * The problem document of an error. Errors that are not a KmcError, and all with status 500, show no detail.
 * @param requestId the id that also stands in the service's log.
 */
export function problemOf(error: unknown, requestId: string): Problem & { readonly retryAfter?: number } {
  const known = error instanceof KmcError ? error : new KmcError('E_INTERNAL', INTERNAL_DETAIL, { cause: error });
  const status = HTTP_STATUS[known.code];
  return {
    type: `urn:kmc:error:${known.code.slice(2).toLowerCase().replaceAll('_', '-')}`,
    title: known.code.slice(2).toLowerCase().replaceAll('_', ' '),
    status,
    code: known.code,
    detail: status === 500 ? INTERNAL_DETAIL : known.message,
    requestId,
    ...(known.rule === undefined || status === 500 ? {} : { rule: known.rule }),
    ...(known.blockedBy.length > 0 && status !== 500 ? { blockedBy: known.blockedBy } : {}),
    ...(known.pointers.length > 0 && status !== 500 ? { errors: known.pointers } : {}),
    ...(known.retryAfter === undefined ? {} : { retryAfter: known.retryAfter }),
  };
}
