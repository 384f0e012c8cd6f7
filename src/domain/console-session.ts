/**
 * Sessions of the console: a page asks with a challenge, a person approves it with a signed request of `kmc`, and types the
 * confirmation code of that answer into the page. So whoever lures somebody into approving a challenge has no code, and
 * whoever sees a code has no page.
 */
import { sm3 } from '../crypto/gm/sm3.ts';
import { randomBytes } from '../crypto/random.ts';

const CONSOLE_SESSION_STATES = ['pending', 'approved', 'open', 'ended'] as const;
export type ConsoleSessionState = (typeof CONSOLE_SESSION_STATES)[number];

/** A challenge that nobody approved, or whose code nobody typed, is over then. */
export const CHALLENGE_SECONDS = 300;
/** A session is over then, whatever is done in it. */
export const SESSION_SECONDS = 1_800;
/** Wrong codes that end a challenge. */
export const CODE_TRIES = 5;

// Crockford's base32: no letter that looks like a digit.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const CHARACTERS = 10;
const SECRET_OCTETS = 32;
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const WORD = /^[0-9a-z]{5}-[0-9a-z]{5}$/;

/** Ten characters (50 random bits) in two groups: a challenge, or a confirmation code. */
export function newConsoleWord(): string {
  const characters = [...randomBytes(CHARACTERS)].map((octet) => ALPHABET.charAt(octet % 32)).join('');
  return `${characters.slice(0, 5)}-${characters.slice(5)}`;
}

/** What a person typed as a challenge or code, in its one form; undefined for what is none. */
export function readConsoleWord(text: string): string | undefined {
  const word = text.trim().toLowerCase().replaceAll('o', '0').replaceAll(/[il]/g, '1');
  return WORD.test(word) ? word : undefined;
}

/** What the cookie of a browser holds: 32 random octets, base64url. */
export function newConsoleSecret(): string {
  return randomBytes(SECRET_OCTETS).toString('base64url');
}

/** The id under which a session is stored, `sm3:<hex>` of its secret; undefined for what is no secret. */
export function consoleSessionId(secret: string): string | undefined {
  return SECRET.test(secret) ? digestOf(secret) : undefined;
}

/** `sm3:<hex>` of a secret or code: what the database holds of it. */
export function digestOf(text: string): string {
  return `sm3:${sm3(Buffer.from(text, 'utf8')).toString('hex')}`;
}
