/** Identifiers: what every one of them must look like, and how new ones are made. */
import { randomBytes } from '../crypto/random.ts';
import { KmcError } from '../errors.ts';

/** What every identifier matches. */
export const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const PREFIX = /^[a-z][a-z0-9]{0,15}$/;
// Crockford's base32 in lower case: its order is the order of its values, so ids sort by time.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;

// An identifier is no secret, and a draw with its health test costs more than all the rest of it: one serves for many.
const DRAWN_TOGETHER = 64;
let drawn: Buffer = Buffer.alloc(0);

/** The octets for one identifier, each given out once. */
function randomOctets(): Buffer {
  if (drawn.length === 0) drawn = randomBytes(RANDOM_CHARACTERS * DRAWN_TOGETHER);
  const octets = drawn.subarray(0, RANDOM_CHARACTERS);
  drawn = drawn.subarray(RANDOM_CHARACTERS);
  return octets;
}

/**
 * A new identifier: `prefix-` and 26 characters, the milliseconds of `at` (48 bits) and 80 random bits, as in a ULID.
 * Ids with one prefix sort by time. It is also the idempotency key of what it names, so make it once, outside of any
 * transaction that may run again.
 * @throws KmcError E_ID for a prefix that is not 1 to 16 lower-case letters and digits.
 */
export function newId(prefix: string, at: Date = new Date()): string {
  if (!PREFIX.test(prefix))
    throw new KmcError('E_ID', 'The prefix of an identifier is 1 to 16 lower-case letters and digits.');
  let time = '';
  for (let rest = at.getTime(); time.length < TIME_CHARACTERS; rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time;
  }
  let tail = '';
  for (const octet of randomOctets()) tail += ALPHABET.charAt(octet % 32);
  return `${prefix}-${time}${tail}`;
}

/** True for 1 to 64 lower-case letters, digits and hyphens that do not begin with a hyphen. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/**
 * Returns `text` if it is an identifier. `what` names the field for the reader of the error.
 * @throws KmcError E_ID
 */
export function requireId(text: string, what: string): string {
  if (isId(text)) return text;
  throw new KmcError(
    'E_ID',
    `The ${what} must be 1 to 64 lower-case letters, digits and hyphens, not beginning with a hyphen.`,
  );
}
