/** The audit record, version 1: its schema, and the strict reader of its canonical bytes (audit-log 3.2, 3.3). */
import { KmcError } from '../../errors.ts';
import { AUDIT_ACTIONS, auditActionRule, type AuditAction } from './actions.ts';
import { DETAIL_KINDS, isTime, isWholeNumber } from './detail.ts';
import { inOrder, isObject, leaf, list, object, text, type Check, type Field } from './shape.ts';

export const MAX_RECORD_OCTETS = 16_384;
export const MAX_SUBJECTS = 8;
const AUDIT_PHASES = ['single', 'intent', 'result'] as const;
export type AuditPhase = (typeof AUDIT_PHASES)[number];
export const AUDIT_OUTCOMES = ['success', 'failure', 'denied', 'unknown'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];
export const ACTOR_TYPES = [
  'person',
  'device',
  'fleet',
  'application',
  'system',
  'anonymous',
  'authority',
  'sealed-account',
] as const;
export type ActorType = (typeof ACTOR_TYPES)[number];
export const SUBJECT_TYPES = [
  'alarm',
  'application',
  'authority',
  'backup',
  'break-glass',
  'ceremony',
  'certificate',
  'crl',
  'device',
  'fleet',
  'issuance',
  'key',
  'keystore',
  'log',
  'manifest',
  'person',
  'policy',
  'pool',
  'registration-authority',
  'request',
  'root-upgrade',
  'sealed-account',
  'supervised-authority',
  'token',
] as const;
export type SubjectType = (typeof SUBJECT_TYPES)[number];

/** One link of a subject's chain. */
export interface SubjectLink {
  readonly t: SubjectType;
  /** The subject's identifier. */
  readonly tag: string;
  /** 0, 1, 2 … without gap within one (t, tag). */
  readonly n: number;
  /** Leaf hash of the subject's event n - 1, base64url; null at n = 0. */
  readonly p: string | null;
  /** Version of the subject after the event. */
  readonly ver?: number;
}

/** The fields of a record, named as in audit-log 3.2 and in the order of RFC 8785. */
export interface AuditRecord {
  readonly act: AuditAction;
  readonly actor: { readonly cred?: string; readonly id: string; readonly role?: string; readonly t: ActorType };
  readonly appr?: readonly { readonly at: string; readonly id: string; readonly role: string; readonly sig?: string }[];
  readonly cls: string;
  readonly code?: string;
  /** The newest checkpoint its writer had verified: size and root (base64url). */
  readonly cp?: { readonly n: number; readonly r: string };
  readonly det: Readonly<Record<string, string | number | boolean>>;
  readonly id: string;
  readonly log: string;
  readonly out: AuditOutcome;
  readonly ph: AuditPhase;
  readonly ref?: string;
  readonly src: { readonly ip_c?: string; readonly node: string; readonly req?: string };
  readonly subj: readonly SubjectLink[];
  readonly terms?: readonly { readonly t: string; readonly tag: string }[];
  readonly ts: string;
  readonly v: 1;
}

/** `host/path` of a log; a name of a signed note, so without spaces and plus signs. */
export const ORIGIN = /^[a-z0-9][a-z0-9.-]{0,63}(?:\/[a-z0-9][a-z0-9._-]{0,31}){0,4}$/;

const EVENT_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const TAG = /^[a-z0-9][a-z0-9:./_-]{0,127}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:+/-]{0,63}$/;
const HASH = /^[A-Za-z0-9_-]{43}$/;
const RAW_SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;

const oneOf = (names: readonly string[]): Check => leaf((value) => (names as readonly unknown[]).includes(value));
const optional = (check: Check): Field => ({ check, optional: true });
const required = (check: Check): Field => ({ check });
const count = leaf(isWholeNumber);
const time = leaf(isTime);

const subjectLink = object({
  n: required(count),
  p: required(leaf((value) => value === null || (typeof value === 'string' && HASH.test(value)))),
  t: required(oneOf(SUBJECT_TYPES)),
  tag: required(text(TAG)),
  ver: optional(count),
});
/** The first event of a subject has no predecessor, every other one has. */
const chainedLink: Check = (value) => {
  const misfit = subjectLink(value);
  if (misfit !== undefined || !isObject(value)) return misfit;
  return (value['n'] === 0) === (value['p'] === null) ? undefined : '/p';
};
const term = object({ t: required(text(NAME)), tag: required(text(TAG)) });

/** The text that subjects and terms are sorted by: type, then tag. Space sorts before every character of both. */
export function subjectKey(subject: { readonly t: string; readonly tag: string }): string {
  return `${subject.t} ${subject.tag}`;
}
const sortedByKey = (value: unknown): string =>
  isObject(value) ? `${String(value['t'])} ${String(value['tag'])}` : '';

const links = list(1, MAX_SUBJECTS, chainedLink, sortedByKey);

const DETAIL_OF_ACTION = new Map<string, Check>(
  Object.entries(AUDIT_ACTIONS).map(([action, rule]) => [
    action,
    object(
      Object.fromEntries(
        Object.entries(rule.detail).map(([field, kind]) => [field, optional(leaf(DETAIL_KINDS[kind].check))]),
      ),
    ),
  ]),
);

const envelope = object({
  act: required(leaf((value) => typeof value === 'string' && DETAIL_OF_ACTION.has(value))),
  actor: required(
    object({
      cred: optional(leaf(DETAIL_KINDS.digest.check)),
      id: required(text(TAG)),
      role: optional(text(NAME)),
      t: required(oneOf(ACTOR_TYPES)),
    }),
  ),
  appr: optional(
    list(
      1,
      32,
      object({
        at: required(time),
        id: required(text(EVENT_ID)),
        role: required(text(NAME)),
        sig: optional(text(RAW_SIGNATURE)),
      }),
    ),
  ),
  cls: required(text(NAME)),
  code: optional(text(NAME)),
  cp: optional(object({ n: required(count), r: required(text(HASH)) })),
  det: required(leaf((value) => typeof value === 'object' && value !== null)),
  id: required(text(EVENT_ID)),
  log: required(text(ORIGIN)),
  out: required(oneOf(AUDIT_OUTCOMES)),
  ph: required(oneOf(AUDIT_PHASES)),
  ref: optional(text(EVENT_ID)),
  src: required(object({ ip_c: optional(text(HASH)), node: required(text(NAME)), req: optional(text(NAME)) })),
  subj: required(links),
  terms: optional(list(1, 16, term, sortedByKey)),
  ts: required(time),
  v: required(leaf((value) => value === 1)),
});

/** The JSON pointer of what keeps `value` from being an audit record with its keys in canonical order, or undefined. */
export function recordMisfit(value: unknown): string | undefined {
  const misfit = envelope(value);
  if (misfit !== undefined || !isObject(value)) return misfit;
  const action = String(value['act']);
  const detail = DETAIL_OF_ACTION.get(action)?.(value['det']);
  if (detail !== undefined) return `/det${detail}`;
  if (value['cls'] !== auditActionRule(action)?.class) return '/cls';
  return (value['ph'] === 'result') === (value['ref'] !== undefined) ? undefined : '/ref';
}

function isAuditRecord(_value: unknown, misfit: string | undefined): _value is AuditRecord {
  return misfit === undefined;
}

/**
 * The canonical text (RFC 8785) of a value that recordMisfit has accepted. With the keys in order already and no lone
 * surrogates, ECMAScript's own serialisation is what RFC 8785 prescribes (3.2.2), at a tenth of the cost of sorting anew.
 */
export function canonicalText(record: AuditRecord): string {
  return JSON.stringify(record);
}

/**
 * Reads the stored bytes of a record and accepts only their one canonical form.
 * @throws KmcError E_SIZE above 16 KiB, E_JSON when it is no JSON or not its canonical form (which a duplicate key never
 * is), E_SCHEMA with the pointer of the first field that does not fit.
 */
export function parseAuditRecord(canon: Buffer): AuditRecord {
  if (canon.length > MAX_RECORD_OCTETS) throw new KmcError('E_SIZE', 'An audit record is larger than 16 KiB.');
  const json = canon.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new KmcError('E_JSON', 'An audit record is not JSON.', { cause });
  }
  const misfit = recordMisfit(value);
  if (!isAuditRecord(value, misfit)) throw schemaError('An audit record', misfit ?? '');
  if (canonicalText(value) !== json || !isLossless(json, canon)) {
    throw new KmcError('E_JSON', 'An audit record is not in its canonical form.');
  }
  return value;
}

/** Decoding puts U+FFFD in the place of malformed UTF-8: only where it stands must the bytes be compared. */
function isLossless(decoded: string, bytes: Buffer): boolean {
  return !decoded.includes('\ufffd') || bytes.equals(Buffer.from(decoded, 'utf8'));
}

/** The chain links of a record that is not acceptable otherwise, as far as they can be read. */
export function linksOfMisfit(canon: Buffer): readonly SubjectLink[] {
  try {
    const value: unknown = JSON.parse(canon.toString('utf8'));
    const read = isObject(value) ? inOrder(value['subj']) : undefined;
    return isLinks(read) ? read : [];
  } catch {
    return [];
  }
}

function isLinks(value: unknown): value is readonly SubjectLink[] {
  return links(value) === undefined;
}

/** E_SCHEMA for what recordMisfit found. */
export function schemaError(what: string, misfit: string): KmcError {
  return new KmcError('E_SCHEMA', `${what} does not fit the schema of audit records at "${misfit}".`, {
    pointers: [{ pointer: misfit, detail: 'is not allowed there, or stands out of order' }],
  });
}
