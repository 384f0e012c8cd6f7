/** JSON in which some members are octets that are no text anywhere: base64, written straight into a Buffer. */
import { concat } from '../crypto/bytes.ts';
import { encodeBase64 } from '../crypto/base64-octets.ts';

export type SecretJson = string | boolean | Buffer | readonly SecretJson[] | { readonly [name: string]: SecretJson };

function parts(value: SecretJson): Buffer[] {
  if (Buffer.isBuffer(value)) return [QUOTE, encodeBase64(value), QUOTE];
  if (typeof value === 'string' || typeof value === 'boolean') return [Buffer.from(JSON.stringify(value), 'utf8')];
  if (isList(value)) return [OPEN_LIST, ...separated(value.map(parts)), CLOSE_LIST];
  const members = Object.entries(value).map(([name, member]) => [
    Buffer.from(`${JSON.stringify(name)}:`, 'utf8'),
    ...parts(member),
  ]);
  return [OPEN_OBJECT, ...separated(members), CLOSE_OBJECT];
}

const QUOTE = Buffer.from('"');
const COMMA = Buffer.from(',');
const OPEN_LIST = Buffer.from('[');
const CLOSE_LIST = Buffer.from(']');
const OPEN_OBJECT = Buffer.from('{');
const CLOSE_OBJECT = Buffer.from('}');

function isList(value: SecretJson): value is readonly SecretJson[] {
  return Array.isArray(value);
}

function separated(items: readonly Buffer[][]): Buffer[] {
  return items.flatMap((item, at) => (at === 0 ? item : [COMMA, ...item]));
}

/** The JSON text in UTF-8; Buffers stand as base64. The caller wipes it. */
export function encodeSecretJson(value: SecretJson): Buffer {
  return concat(...parts(value));
}
