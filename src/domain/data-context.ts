/** The context that a caller gives with data, and again to decrypt: names and texts, in one canonical form. */
import { canonicalizeSigned } from '../crypto/jcs.ts';
import { KmcError } from '../errors.ts';
import { plainText } from './signed-body.ts';

export type DataContext = Readonly<Record<string, string>>;

/** Members of a context, and octets of it as canonical JSON, at the most. */
export const MOST_CONTEXT_MEMBERS = 16;
export const CONTEXT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const LONGEST_TEXT = 256;

/**
 * The octets that a ciphertext is bound to: canonical JSON (RFC 8785) in UTF-8; `{}` without a context.
 * @throws KmcError E_SCHEMA for a name or a text that may not stand in a context, or too many of them.
 */
export function contextOctets(context: DataContext = {}): Buffer {
  const members = Object.entries(context);
  const fault = members.map(([, text]) => plainText(LONGEST_TEXT)(text)).find((one) => one !== undefined);
  if (fault !== undefined) throw new KmcError('E_SCHEMA', `A text of a context ${fault}.`);
  if (members.length > MOST_CONTEXT_MEMBERS || members.some(([name]) => !CONTEXT_NAME.test(name))) {
    throw new KmcError('E_SCHEMA', `A context has up to ${MOST_CONTEXT_MEMBERS} names of letters, digits and . _ -`);
  }
  return Buffer.from(canonicalizeSigned(context), 'utf8');
}
