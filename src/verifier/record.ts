/** Events as they stand in the log: canonical JSON (RFC 8785) of the one shape that records have. */
import { textOf } from './octets.ts';

export interface Link {
  readonly n: number;
  readonly p: string | null;
  readonly t: string;
  readonly tag: string;
}

export interface AuditEvent {
  readonly act: string;
  readonly actor: { readonly id: string; readonly t: string; readonly role?: string };
  readonly appr?: readonly { readonly at: string; readonly id: string; readonly role: string; readonly sig?: string }[];
  readonly cls: string;
  readonly code?: string;
  readonly cp?: { readonly n: number; readonly r: string };
  readonly det: Readonly<Record<string, string | number | boolean>>;
  readonly id: string;
  readonly log: string;
  readonly out: string;
  readonly ph: string;
  readonly ref?: string;
  readonly subj: readonly Link[];
  readonly terms?: readonly { readonly t: string; readonly tag: string }[];
  readonly ts: string;
}

type Fits = (value: unknown) => boolean;
type Members = Readonly<Record<string, unknown>>;

const LONGEST_RECORD = 16_384;
const HASH = /^[A-Za-z0-9_-]{43}$/;
const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const TAG = /^[a-z0-9][a-z0-9:./_-]{0,127}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:+/-]{0,63}$/;

const text =
  (pattern: RegExp): Fits =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const isCount: Fits = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isTime: Fits = (value) =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value)) && new Date(value).toISOString() === value;
const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object with these members and no others; a name that ends in `?` may be missing. */
function shape(members: Readonly<Record<string, Fits>>): Fits {
  const needed = Object.keys(members).filter((name) => !name.endsWith('?'));
  return (value) =>
    isObject(value) &&
    needed.every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, member]) => (members[name] ?? members[`${name}?`])?.(member) === true);
}

/** A list of that many items, in strictly rising order of type and tag where items have them. */
function list(least: number, most: number, item: Fits): Fits {
  const keyOf = (value: unknown): string => (isObject(value) && 'tag' in value ? keyText(value) : '');
  return (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= most &&
    value.every(item) &&
    value.every((one, at) => at === 0 || keyOf(one) === '' || keyOf(value[at - 1]) < keyOf(one));
}

const keyText = (value: Members): string => `${String(value['t'])} ${String(value['tag'])}`;
const isLink = shape({
  n: isCount,
  p: (value) => value === null || text(HASH)(value),
  t: text(NAME),
  tag: text(TAG),
  'ver?': isCount,
});
const isScalar: Fits = (value) => ['string', 'boolean'].includes(typeof value) || Number.isSafeInteger(value);
const RECORD = shape({
  act: text(NAME),
  actor: shape({ 'cred?': text(/^sm3:[0-9a-f]{64}$/), id: text(TAG), 'role?': text(NAME), t: text(NAME) }),
  'appr?': list(1, 32, shape({ at: isTime, id: text(ID), role: text(NAME), 'sig?': text(/^[A-Za-z0-9+/]{86}==$/) })),
  cls: text(NAME),
  'code?': text(NAME),
  'cp?': shape({ n: isCount, r: text(HASH) }),
  det: (value) => isObject(value) && Object.values(value).every(isScalar),
  id: text(ID),
  log: (value) => typeof value === 'string',
  out: text(/^(?:success|failure|denied|unknown)$/),
  ph: text(/^(?:single|intent|result)$/),
  'ref?': text(ID),
  src: shape({ 'ip_c?': text(HASH), node: text(NAME), 'req?': text(NAME) }),
  subj: list(1, 8, isLink),
  'terms?': list(1, 16, shape({ t: text(NAME), tag: text(TAG) })),
  ts: isTime,
  v: (value) => value === 1,
});

/** RFC 8785 for values without floats: members in the order of their names, everything else as JSON.stringify has it. */
function canonical(value: unknown): string {
  // Half a surrogate pair is no character and has no canonical form: nothing stands for it.
  if (typeof value === 'string' && /\p{Cs}/u.test(value)) return '';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

function isEvent(value: unknown): value is AuditEvent {
  return RECORD(value);
}

/** Reads an event from its octets; what is wrong with it as text, unless it is a record in its one canonical form. */
export function parseEvent(octets: Uint8Array): AuditEvent | string {
  const json = octets.length > LONGEST_RECORD ? undefined : textOf(octets);
  if (json === undefined) return 'the event is longer than 16 KiB or not UTF-8';
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return 'the event is not JSON';
  }
  if (!isEvent(value)) return 'the event does not have the shape of a record';
  // A repeated name, another order, a float or a space cannot come out the same again.
  if (canonical(value) !== json) {
    return 'the event is not in its canonical form';
  }
  if (value.subj.some((link) => (link.n === 0) !== (link.p === null))) return 'a link of the event has no predecessor';
  return (value.ph === 'result') === (value.ref !== undefined) ? value : 'the event and its intent do not fit';
}

/** The links of an event that is not acceptable otherwise, as far as they can be read. */
export function linksOf(octets: Uint8Array): readonly Link[] {
  try {
    const value: unknown = JSON.parse(textOf(octets) ?? '');
    return isObject(value) && hasLinks(value) ? value.subj : [];
  } catch {
    return [];
  }
}

function hasLinks(value: Members): value is Members & { readonly subj: readonly Link[] } {
  return list(1, 8, isLink)(value['subj']);
}

/** Everything an event is found under in the index of the log. */
export function keysOf({ actor, subj, terms = [] }: AuditEvent): string[] {
  return [
    ...subj.map(({ t, tag }) => `${t} ${tag}`),
    `actor ${actor.t}:${actor.id}`,
    ...new Set(terms.map(({ t, tag }) => `term ${t}:${tag}`)),
  ];
}
