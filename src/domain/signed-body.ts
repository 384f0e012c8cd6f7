/**
 * What people sign (CONTRACT 5, enrolment-and-root-upgrade D.2): `prefix 0x00 || JCS(body)`, where the body holds no
 * JSON numbers and no nulls, every text is NFC and every time is UTC in whole seconds. The prefix keeps a signature over
 * one kind of body from passing for another.
 */
import { canonicalizeSigned } from '../crypto/jcs.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { KmcError } from '../errors.ts';

/** JSON of the signed profile: text, booleans, lists and objects of these. */
export type SignedValue = string | boolean | readonly SignedValue[] | SignedObject;
export interface SignedObject {
  readonly [name: string]: SignedValue;
}

export const SIGNED_PREFIXES = {
  request: 'KMC-REQUEST-V1',
  approval: 'KMC-APPROVAL-V1',
  bundle: 'KMC-BUNDLE-V1',
  ceremony: 'KMC-CEREMONY-V1',
  voucher: 'KMC-VOUCHER-V1',
  attestation: 'KMC-ATTEST-V1',
  breakGlass: 'KMC-BREAK-GLASS-V1',
  verdict: 'KMC-VERDICT-V1',
  backup: 'KMC-BACKUP-V1',
  fleetEvidence: 'KMC-EVIDENCE-V1',
} as const;
export type SignedKind = keyof typeof SIGNED_PREFIXES;

/**
 * The bytes that are signed and hashed: ASCII prefix, one zero octet, canonical JSON in UTF-8.
 * @throws KmcError E_JSON when the body holds a number, a null, text that is not NFC or a lone surrogate.
 */
export function signedBytes(kind: SignedKind, body: object): Buffer {
  return Buffer.concat([
    Buffer.from(`${SIGNED_PREFIXES[kind]}\0`, 'ascii'),
    Buffer.from(canonicalizeSigned(body), 'utf8'),
  ]);
}

/** `sm3:<hex>` over `signedBytes`. @throws KmcError E_JSON as `signedBytes`. */
export function signedDigest(kind: SignedKind, body: object): string {
  return `sm3:${sm3(signedBytes(kind, body)).toString('hex')}`;
}

/** A time as it stands in signed bodies: `YYYY-MM-DDTHH:MM:SSZ`. Fractions of a second are cut off. */
export function signedTime(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

const SIGNED_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** The time of a signed body, or undefined when the text is not a time in that form. */
export function readSignedTime(text: string): Date | undefined {
  if (!SIGNED_TIME.test(text)) return undefined;
  const at = new Date(text);
  return !Number.isNaN(at.getTime()) && signedTime(at) === text ? at : undefined;
}

/** How one member of a body is checked; the answer says what is wrong, undefined that nothing is. */
export type MemberCheck = (value: unknown) => string | undefined;

/** Text that matches the pattern. `what` completes "must be …". */
export function textLike(pattern: RegExp, what: string): MemberCheck {
  return (value) => (typeof value === 'string' && pattern.test(value) ? undefined : `must be ${what}`);
}

/** Text of 1 to `max` characters without control characters, in NFC. */
export function plainText(max: number): MemberCheck {
  return (value) => {
    if (typeof value !== 'string' || value.length < 1 || value.length > max)
      return `must be text of 1 to ${max} characters`;
    if (/[\p{Cc}\p{Cf}]/u.test(value)) return 'must not hold control or format characters';
    return value.normalize('NFC') === value ? undefined : 'must be in Unicode normalisation form C';
  };
}

/** One of the names. */
export function oneOf(names: readonly string[]): MemberCheck {
  return (value) =>
    typeof value === 'string' && names.includes(value) ? undefined : `must be one of ${names.join(', ')}`;
}

/** A time `YYYY-MM-DDTHH:MM:SSZ`. */
export const signedTimeText: MemberCheck = (value) =>
  typeof value === 'string' && readSignedTime(value) !== undefined ? undefined : 'must be a time YYYY-MM-DDTHH:MM:SSZ';

/** `sm3:` and 64 lower-case hex digits. */
export const sm3Text: MemberCheck = textLike(/^sm3:[0-9a-f]{64}$/, 'sm3: and 64 lower-case hex digits');

/** True for a plain object (what JSON calls an object). */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSignedValue(value: unknown): value is SignedValue {
  if (Array.isArray(value)) return value.every(isSignedValue);
  return typeof value === 'string' || typeof value === 'boolean' || isSignedObject(value);
}

/** True for an object of the signed profile: text, booleans, lists and objects of these. Its depth is for the parser. */
export function isSignedObject(value: unknown): value is SignedObject {
  return isObject(value) && Object.values(value).every(isSignedValue);
}

/**
 * Checks that `value` is an object with exactly the members of `Body`, each as its check asks.
 * @throws KmcError E_SCHEMA with a JSON pointer for each fault; `what` names the body in the message.
 */
export function requireMembers<Body extends object>(
  value: unknown,
  checks: Readonly<Record<keyof Body & string, MemberCheck>>,
  what: string,
): asserts value is Body {
  if (!isObject(value)) throw new KmcError('E_SCHEMA', `The ${what} must be a JSON object.`);
  const pointers = [
    ...Object.entries<MemberCheck>(checks).flatMap(([name, check]) => {
      const detail = Object.hasOwn(value, name) ? check(value[name]) : 'is missing';
      return detail === undefined ? [] : [{ pointer: `/${name}`, detail }];
    }),
    ...Object.keys(value)
      .filter((name) => !Object.hasOwn(checks, name))
      .map((name) => ({
        pointer: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        detail: 'is not known here',
      })),
  ];
  const [first] = pointers;
  if (first === undefined) return;
  throw new KmcError('E_SCHEMA', `The ${what} does not fit its schema: ${first.pointer} ${first.detail}.`, {
    pointers,
  });
}

/** True for canonical base64 with padding: what decodes and encodes back to itself. */
export function isBase64(text: string): boolean {
  return text.length > 0 && Buffer.from(text, 'base64').toString('base64') === text;
}
