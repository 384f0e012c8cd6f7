/** The closed list of error codes. `http/problem.ts` maps each to an HTTP status and `cli/exit-codes.ts` to an exit code. */
export const ERROR_CODES = [
  'E_APPROVAL', // an approval or its signature does not hold
  'E_AUDIT', // an event could not be recorded, or the log is inconsistent
  'E_BLOB_AUTH', // a sealed blob does not open: wrong key, context or content
  'E_CERT', // a certificate is malformed, not trusted or not fit for the purpose
  'E_CONFIG', // configuration refused at start
  'E_CONFLICT', // another value stands already under that name
  'E_CRL', // a CRL is malformed, stale or inconsistent
  'E_CSR', // a certification request is malformed or does not match its registration
  'E_DECRYPT', // a ciphertext does not decrypt
  'E_DER', // input is not strict DER or not the expected structure
  'E_EXISTS', // an output exists already
  'E_FORBIDDEN', // the caller's role does not allow this
  'E_ID', // an identifier has a form that is not allowed
  'E_INTEGRITY', // stored state contradicts itself: the service seals
  'E_INTERNAL', // a defect
  'E_JSON', // JSON refused before any schema
  'E_KEY', // a private key is out of range or does not match its public key
  'E_KEY_BLOCKED', // a public key that may not be certified
  'E_KEY_TAKEN', // another caller took the key that was chosen: choose again
  'E_LINT', // a certificate, policy or ceremony file breaks a rule
  'E_METHOD', // method not allowed on this path
  'E_NOT_FOUND', // absent, or not for this caller
  'E_PASSPHRASE', // a passphrase does not open the file
  'E_PENDING', // waits for an approval or for other work
  'E_PERIOD', // outside the key's crypto-period
  'E_POINT', // a public point is not acceptable
  'E_POLICY', // policy forbids it, or the policy files are not those in force
  'E_POOL_EMPTY', // no key made ahead is left, and policy lets none be made on demand
  'E_POP', // proof of possession fails
  'E_QUORUM', // not enough distinct eligible persons
  'E_QUOTA', // a quota is used up
  'E_RATE', // too many requests
  'E_ROLLBACK', // files or database are older than they must be
  'E_SAME_PERSON', // the same person twice where two are required
  'E_SCHEMA', // a request, file or record does not fit its schema
  'E_SEALED', // the keystore is sealed
  'E_SELF_TEST', // a known-answer test failed
  'E_SHARE_BAD', // a share is damaged or not of its holder
  'E_SHARE_SET', // a share of another set
  'E_SHARES_FEW', // fewer shares than the threshold
  'E_SIGNATURE', // a signature does not verify
  'E_SIZE', // input larger than allowed
  'E_STALE', // what was approved is no longer what would be done
  'E_STATE', // the object's state does not allow it
  'E_STORAGE', // storage refused a write
  'E_SUITE', // unknown blob suite
  'E_TIME', // outside the accepted time window
  'E_TOKEN', // an enrolment token is unknown, used, expired or locked
  'E_TRUST', // a trust-bundle manifest or an anchor in it is not accepted
  'E_TYPE', // media type not accepted
  'E_UNAUTHENTICATED', // the caller did not prove who it is
  'E_USAGE', // a key used for what it was not made for, or a command used wrongly
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** One reason why something that was asked for cannot be done yet: for people, and for programs. */
export interface Blocker {
  /** Name of the guard, of a closed table. */
  readonly guard: string;
  readonly text: string;
  /** Ids of the devices that stand in the way, the first of them. */
  readonly devices?: readonly string[];
  /** Numbers as text: what is, and what is asked for. */
  readonly numbers?: Readonly<Record<string, string>>;
}

export interface KmcErrorOptions {
  readonly cause?: unknown;
  /** JSON pointers (RFC 6901) into the input that name what is wrong. */
  readonly pointers?: readonly { readonly pointer: string; readonly detail: string }[];
  /** Seconds after which the same call may succeed. */
  readonly retryAfter?: number;
  /** Nothing may be written any more: the service seals and ends (a failed fsync, security-and-faults 2.4). */
  readonly fatal?: boolean;
  /** Name of the rule that was broken, where the code stands for a table of rules. */
  readonly rule?: string;
  /** Everything that stands in the way, where guards were asked. */
  readonly blockedBy?: readonly Blocker[];
  /** The service answered it: what was wrong is the request, not a file here. */
  readonly remote?: boolean;
  /** What was asked for is there, but of another region: the caller learns nothing of it, the audit log does. */
  readonly concealed?: boolean;
}

/**
 * The one error class. `code` is stable and for programs; `message` is for people, says what to do next, and never
 * holds a secret, a stack, a path of the machine or SQL.
 */
export class KmcError extends Error {
  override readonly name = 'KmcError';
  readonly code: ErrorCode;
  readonly pointers: readonly { readonly pointer: string; readonly detail: string }[];
  readonly retryAfter: number | undefined;
  readonly rule: string | undefined;
  readonly blockedBy: readonly Blocker[];
  readonly fatal: boolean;
  readonly remote: boolean;
  readonly concealed: boolean;

  constructor(code: ErrorCode, message: string, options: KmcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.pointers = options.pointers ?? [];
    this.retryAfter = options.retryAfter;
    this.rule = options.rule;
    this.blockedBy = options.blockedBy ?? [];
    this.fatal = options.fatal ?? false;
    this.remote = options.remote ?? false;
    this.concealed = options.concealed ?? false;
  }
}
