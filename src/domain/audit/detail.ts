/**
 * The kinds of value that may stand in the `det` object of an audit event. There is no kind for free bytes: no field can
 * take key material, and text from outside is bounded and free of control characters (log injection).
 */

export interface DetailKind {
  /** What a reader must put there; completes "must be …". */
  readonly is: string;
  readonly check: (value: unknown) => boolean;
}

// Cf holds the marks that reorder or hide text on a screen.
const UNFIT_IN_TEXT = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;
const MAX_TEXT = 256;

function matching(pattern: RegExp, is: string): DetailKind {
  return { is, check: (value) => typeof value === 'string' && pattern.test(value) };
}

export const DETAIL_KINDS = {
  /** Algorithm, profile, role, state, region, reason: a name of ours. */
  name: matching(/^[A-Za-z0-9][A-Za-z0-9._:+/-]{0,63}$/, 'a name of at most 64 characters'),
  /** An identifier of ours, or `sm3:<hex>`. */
  id: matching(/^[a-z0-9][a-z0-9:./_-]{0,127}$/, 'an identifier'),
  digest: matching(/^sm3:[0-9a-f]{64}$/, 'sm3: and 64 hex digits'),
  /** Serial numbers, set ids: lower-case hex. */
  hex: matching(/^[0-9a-f]{1,64}$/, 'at most 64 lower-case hex digits'),
  code: matching(/^E_[A-Z][A-Z_]{0,40}$/, 'an error code'),
  time: {
    is: 'a UTC time as YYYY-MM-DDTHH:MM:SSZ',
    check: (value) => typeof value === 'string' && value.length === 20 && isTime(`${value.slice(0, -1)}.000Z`),
  },
  count: { is: 'a whole number from 0', check: isWholeNumber },
  /** May be negative: a clock step. */
  integer: { is: 'a whole number', check: (value) => Number.isSafeInteger(value) },
  flag: { is: 'true or false', check: (value) => typeof value === 'boolean' },
  /** Text from outside, cleaned by auditText. */
  text: {
    is: 'NFC text of 1 to 256 characters without control characters',
    check: (value) =>
      typeof value === 'string' &&
      value.length > 0 &&
      value.length <= MAX_TEXT &&
      !UNFIT_IN_TEXT.test(value) &&
      value.normalize('NFC') === value,
  },
  /** A value that does not stand in the log itself: base64url of SM3(0x10 || salt || value), see commitment.ts. */
  commitment: matching(/^[A-Za-z0-9_-]{43}$/, 'a commitment'),
} as const satisfies Record<string, DetailKind>;

export type DetailKindName = keyof typeof DETAIL_KINDS;

/**
 * Makes text from outside fit for a `text` field: NFC, no control, format or line-separating characters, at most 256
 * UTF-16 units. Empty input gives `-`, since a text field is never empty.
 */
export function auditText(text: string): string {
  const cleaned = text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  // Cutting may split a surrogate pair: the half that is left is not a character.
  const cut = cleaned
    .slice(0, MAX_TEXT)
    .replace(/\p{Cs}$/u, '')
    .normalize('NFC');
  return cut === '' ? '-' : cut;
}

/** True for a safe integer that is not negative. */
export function isWholeNumber(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

const TIME = /^\d{4}-(?:0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** True for a time exactly as Date.toISOString writes it: UTC with milliseconds. */
export function isTime(value: unknown): boolean {
  const match = typeof value === 'string' ? TIME.exec(value) : null;
  if (match === null) return false;
  // Every month has 28 days; making a Date is only worth its cost for the others.
  if (Number(match[1]) <= 28) return true;
  const time = new Date(match[0]);
  return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}
