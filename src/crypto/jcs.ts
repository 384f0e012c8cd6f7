/**
 * Canonical JSON (RFC 8785): what is signed and hashed. The strict parser stands apart in strict-json.ts; the profile of
 * signed bodies forbids numbers and nulls and demands NFC, so that one meaning has one encoding in every language.
 */
import { KmcError } from '../errors.ts';
import { hasLoneSurrogate } from './strict-json.ts';

export { parseStrictJson } from './strict-json.ts';
export type { JsonObject, JsonValue, StrictJsonLimits } from './strict-json.ts';

const DEEPEST = 64;

function refused(what: string): KmcError {
  return new KmcError('E_JSON', `The value has no canonical JSON: ${what}.`);
}

function canonicalString(text: string, signed: boolean): string {
  // Nearly every string: printable ASCII without anything to escape.
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  if (hasLoneSurrogate(text)) throw refused('a string holds half of a surrogate pair');
  if (signed && text.normalize('NFC') !== text) throw refused('a string of a signed body is not in the form NFC');
  return JSON.stringify(text);
}

function canonicalNumber(value: number, signed: boolean): string {
  if (signed) throw refused('a signed body holds a number; write it as a decimal string');
  if (!Number.isFinite(value)) throw refused('a number is not finite');
  return JSON.stringify(value);
}

function canonicalObject(value: object, signed: boolean, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if ((prototype !== Object.prototype && prototype !== null) || Object.getOwnPropertySymbols(value).length > 0) {
    throw refused('an object is not plain');
  }
  const members: Readonly<Record<string, unknown>> = { ...value };
  // The default order is by UTF-16 code units, as RFC 8785 3.2.3 demands.
  const names = Object.keys(members).sort();
  const texts = names.map((name) => `${canonicalString(name, signed)}:${canonical(members[name], signed, depth - 1)}`);
  return `{${texts.join(',')}}`;
}

function canonical(value: unknown, signed: boolean, depth: number): string {
  if (depth < 0) throw refused('it is nested too deeply');
  if (typeof value === 'string') return canonicalString(value, signed);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'number') return canonicalNumber(value, signed);
  if (value === null) {
    if (signed) throw refused('a signed body holds null; leave out what is not there');
    return 'null';
  }
  if (Array.isArray(value)) {
    // Array.from, unlike map, does not jump over holes.
    return `[${Array.from<unknown, string>(value, (item) => canonical(item, signed, depth - 1)).join(',')}]`;
  }
  if (typeof value === 'object') return canonicalObject(value, signed, depth);
  throw refused(`it holds ${typeof value}`);
}

/**
 * The canonical JSON text (RFC 8785) of strings, booleans, finite numbers, null, arrays and plain objects. Throws
 * `E_JSON` for anything else, `undefined` members included.
 */
export function canonicalize(value: unknown): string {
  return canonical(value, false, DEEPEST);
}

/**
 * {@link canonicalize} under the profile of signed bodies: throws `E_JSON` also for numbers, nulls, and strings or
 * member names that are not NFC.
 */
export function canonicalizeSigned(value: unknown): string {
  return canonical(value, true, DEEPEST);
}
