/** What the errors of the two drivers mean. The texts here never hold SQL, values or paths. */
import { KmcError, type ErrorCode } from '../errors.ts';

/**
 * `collision`: another writer was in the way, the same work may succeed again. `constraint`: a rule of the schema
 * refused a statement, the connection is sound. `storage`: the database is gone, full or damaged.
 */
export interface Fault {
  readonly kind: 'collision' | 'constraint' | 'storage';
  readonly error: KmcError;
}

type Meaning = readonly [kind: Fault['kind'], code: ErrorCode, text: string];

const BUSY = 'The database was busy for too long. Try again.';
const CONFLICT: Meaning = [
  'constraint',
  'E_CONFLICT',
  'Another entry stands already under that name. Read it, or choose another name.',
];
const NO_REFERENCE: Meaning = [
  'constraint',
  'E_CONFLICT',
  'The entry refers to another one that is not there, or something still refers to it.',
];
const BROKEN_RULE: Meaning = [
  'constraint',
  'E_INTERNAL',
  'An entry breaks a rule of the schema. This is a defect: report it.',
];
const DEFECT: Meaning = [
  'constraint',
  'E_INTERNAL',
  'The database does not understand a statement. This is a defect: report it.',
];
const DAMAGED: Meaning = [
  'storage',
  'E_INTEGRITY',
  'The database is damaged. Stop the service and restore the last backup.',
];
const UNAVAILABLE: Meaning = [
  'storage',
  'E_STORAGE',
  'The database does not answer. Try again; if it lasts, check that it runs.',
];
const FULL: Meaning = ['storage', 'E_STORAGE', 'The storage of the database is full. Make room, then try again.'];
const READ_ONLY: Meaning = [
  'storage',
  'E_STORAGE',
  'The database cannot be written. Check its permissions and its file system.',
];
const MEDIUM: Meaning = [
  'storage',
  'E_STORAGE',
  'The medium of the database failed. Nothing more is written; restore from a backup.',
];
const COLLISION: Meaning = ['collision', 'E_STORAGE', BUSY];

/** Seconds after which a caller may try again. */
const RETRY_AFTER = 5;

const SQLITE_MEANINGS: Readonly<Record<string, Meaning>> = {
  SQLITE_BUSY: COLLISION,
  SQLITE_LOCKED: COLLISION,
  SQLITE_PROTOCOL: COLLISION,
  SQLITE_FULL: FULL,
  SQLITE_IOERR: MEDIUM,
  SQLITE_READONLY: READ_ONLY,
  SQLITE_CANTOPEN: [
    'storage',
    'E_STORAGE',
    'The database file cannot be opened. Check that its folder exists and may be written.',
  ],
  SQLITE_PERM: READ_ONLY,
  SQLITE_AUTH: READ_ONLY,
  SQLITE_CORRUPT: DAMAGED,
  SQLITE_NOTADB: [
    'storage',
    'E_INTEGRITY',
    'The file is no SQLite database, or its beginning is damaged. Check the path, or restore the last backup.',
  ],
  SQLITE_CONSTRAINT: BROKEN_RULE,
  SQLITE_MISMATCH: BROKEN_RULE,
  SQLITE_ERROR: DEFECT,
  SQLITE_RANGE: DEFECT,
  SQLITE_MISUSE: UNAVAILABLE,
};

/** By SQLSTATE, or by its class (two characters). */
const POSTGRES_MEANINGS: Readonly<Record<string, Meaning>> = {
  '23505': CONFLICT,
  '23503': NO_REFERENCE,
  '23': BROKEN_RULE,
  '22': BROKEN_RULE,
  '42': DEFECT,
  '0A': DEFECT,
  '40001': COLLISION,
  '40P01': COLLISION,
  '55P03': ['storage', 'E_STORAGE', BUSY], // lock_timeout: the wait is over already
  '57014': ['storage', 'E_STORAGE', BUSY], // statement_timeout
  '53100': FULL,
  '58030': MEDIUM,
  XX001: DAMAGED,
  XX002: DAMAGED,
  '25006': READ_ONLY,
};

/** What a trigger of the schema raises: `KMC <code> <text>`. */
const RAISED = /KMC (E_[A-Z_]+) (.+)$/s;
const RAISED_CODES: readonly ErrorCode[] = ['E_AUDIT', 'E_FORBIDDEN', 'E_NOT_FOUND', 'E_STALE'];

const AUDIT_MISSING =
  'A change names an audit event that was not recorded, so nothing of it was stored. This is a defect: report it.';

/** The meaning of an error of the sqlite3 package. `atCommit`: only deferred constraints fail there. */
export function sqliteFault(error: unknown, atCommit = false): Fault {
  if (error instanceof KmcError) return { kind: 'storage', error };
  const { code, message } = fields(error);
  const raised = raisedFault(message, error);
  if (raised !== undefined) return raised;
  if (code === 'SQLITE_CONSTRAINT') {
    if (atCommit) return asFault(['constraint', 'E_AUDIT', AUDIT_MISSING], error);
    if (/UNIQUE|PRIMARY KEY/.test(message)) return asFault(CONFLICT, error);
    if (message.includes('FOREIGN KEY')) return asFault(NO_REFERENCE, error);
  }
  return asFault(SQLITE_MEANINGS[code] ?? UNAVAILABLE, error);
}

/** The meaning of an error of the pg package, of a socket, or of the pool. */
export function postgresFault(error: unknown): Fault {
  if (error instanceof KmcError) return { kind: 'storage', error };
  const { code, message, constraint } = fields(error);
  const raised = raisedFault(message, error);
  if (raised !== undefined) return raised;
  if (constraint.endsWith('_audit_event_fkey')) return asFault(['constraint', 'E_AUDIT', AUDIT_MISSING], error);
  return asFault(POSTGRES_MEANINGS[code] ?? POSTGRES_MEANINGS[code.slice(0, 2)] ?? UNAVAILABLE, error);
}

/** The answer when the connection was lost while a commit was under way. */
export function unknownCommit(cause: unknown): KmcError {
  return new KmcError(
    'E_STORAGE',
    'The database was lost while it stored the change, so it may or may not stand. Ask again under the same idempotency key.',
    { cause, retryAfter: RETRY_AFTER },
  );
}

function raisedFault(message: string, error: unknown): Fault | undefined {
  const [, name, text] = RAISED.exec(message) ?? [];
  const code = RAISED_CODES.find((known) => known === name);
  return code === undefined || text === undefined ? undefined : asFault(['constraint', code, text], error);
}

function asFault([kind, code, text]: Meaning, error: unknown): Fault {
  const retry = code === 'E_STORAGE' ? { retryAfter: RETRY_AFTER } : {};
  return {
    kind,
    error: new KmcError(code, text, { cause: withoutValues(error), ...retry, fatal: text === MEDIUM[2] }),
  };
}

/** The cause that a log may show: what the driver says, without its details (they quote values and statements). */
function withoutValues(error: unknown): Error {
  const { code, message, constraint } = fields(error);
  const quotesInput = code.startsWith('22') || code.startsWith('42') || code === 'SQLITE_ERROR';
  return new Error([code, quotesInput ? '' : message, constraint].filter((part) => part !== '').join(' '));
}

function fields(error: unknown): { code: string; message: string; constraint: string } {
  if (!(error instanceof Error)) return { code: '', message: '', constraint: '' };
  const { code, constraint } = error as Error & { readonly code?: unknown; readonly constraint?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    message: error.message,
    constraint: typeof constraint === 'string' ? constraint : '',
  };
}
