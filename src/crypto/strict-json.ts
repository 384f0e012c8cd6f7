/**
 * JSON (RFC 8259) that can be read in one way only: no duplicate or prototype names, no lone surrogates, no numbers that
 * a double does not hold, bounded in size and depth.
 */
import { KmcError } from '../errors.ts';

export interface JsonObject {
  readonly [name: string]: JsonValue;
}
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

export interface StrictJsonLimits {
  /** Deepest nesting of arrays and objects; 32 unless told. */
  readonly maxDepth?: number;
  /** Longest text in octets of UTF-8; 1 MiB unless told. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_DEPTH = 32;
const DEFAULT_MAX_BYTES = 1_048_576;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// Everything from the space on, without the quotation mark and the backslash.
const PLAIN_STRING_PART = /[ !#-[\]-\uffff]*/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
// Harmless to JSON.parse, but not to code that merges objects.
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const LAST_SPACE = 0x20;
const SPACE = /[ \t\n\r]*/y;

/** True when a string holds a surrogate without its other half, which UTF-8 cannot carry. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

function refused(what: string, at: number): KmcError {
  return new KmcError('E_JSON', `The JSON text is refused at character ${at}: ${what}.`);
}

class Scanner {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  document(): JsonValue {
    const value = this.#value(this.#maxDepth);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw refused('something follows after the value', this.#at);
    return value;
  }

  #skipSpace(): void {
    if (this.#text.charCodeAt(this.#at) <= LAST_SPACE) this.#match(SPACE);
  }

  /** The longest match of a sticky pattern here; the position moves behind it. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #demand(character: string): void {
    if (!this.#takes(character)) throw refused(`"${character}" is expected`, this.#at);
  }

  #value(depth: number): JsonValue {
    if (this.#takes('"')) return this.#string();
    if (this.#takes('{')) return this.#object(depth);
    if (this.#takes('[')) return this.#array(depth);
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #object(depth: number): JsonObject {
    if (depth === 0) throw refused('it is nested too deeply', this.#at);
    const members: Record<string, JsonValue> = {};
    if (this.#takes('}')) return members;
    do {
      this.#demand('"');
      const at = this.#at;
      const name = this.#string();
      if (FORBIDDEN_NAMES.has(name)) throw refused('a member has a name that is not allowed', at);
      if (Object.hasOwn(members, name)) throw refused('two members have the same name', at);
      this.#demand(':');
      members[name] = this.#value(depth - 1);
    } while (this.#takes(','));
    this.#demand('}');
    return members;
  }

  #array(depth: number): JsonValue[] {
    if (depth === 0) throw refused('it is nested too deeply', this.#at);
    const items: JsonValue[] = [];
    if (this.#takes(']')) return items;
    do items.push(this.#value(depth - 1));
    while (this.#takes(','));
    this.#demand(']');
    return items;
  }

  /** The rest of a string whose opening quotation mark was taken. */
  #string(): string {
    const start = this.#at;
    let text = '';
    for (;;) {
      text += this.#match(PLAIN_STRING_PART) ?? '';
      const stop = this.#text[this.#at];
      this.#at += 1;
      if (stop === '"') break;
      if (stop !== '\\') throw refused('a string is not closed or holds a control character', this.#at - 1);
      text += this.#escape();
    }
    if (hasLoneSurrogate(text)) throw refused('a string holds half of a surrogate pair', start);
    return text;
  }

  #escape(): string {
    const character = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (character === 'u') {
      const digits = this.#match(HEX4);
      if (digits === undefined) throw refused('an escape has no four hex digits', this.#at);
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const meant = ESCAPES.get(character);
    if (meant === undefined) throw refused('an unknown escape', this.#at - 1);
    return meant;
  }

  #number(): number {
    const at = this.#at;
    const digits = this.#match(NUMBER);
    if (digits === undefined) throw refused('a value is expected', at);
    const value = Number(digits);
    const integral = !/[.eE]/.test(digits);
    if (!Number.isFinite(value) || (integral && !Number.isSafeInteger(value))) {
      throw refused('a number does not fit a double', at);
    }
    return value;
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new KmcError('E_JSON', 'The JSON text is not UTF-8.', { cause });
  }
}

/**
 * Parses JSON from a string or UTF-8 octets. Throws `E_SIZE` above `maxBytes`; `E_JSON` for whatever is not JSON, a byte
 * order mark, a duplicate name, the names `__proto__`, `constructor` and `prototype`, a lone surrogate, an integer
 * beyond 2^53 - 1, a number that overflows, or nesting deeper than `maxDepth`.
 */
export function parseStrictJson(text: string | Buffer, limits: StrictJsonLimits = {}): JsonValue {
  const maxBytes = limits.maxBytes ?? DEFAULT_MAX_BYTES;
  // Every UTF-16 unit is at least one octet, so a string that is too long is refused before it is measured.
  if (text.length > maxBytes || (typeof text === 'string' && Buffer.byteLength(text) > maxBytes)) {
    throw new KmcError('E_SIZE', `The JSON text is longer than the ${maxBytes} octets that are accepted here.`);
  }
  const decoded = typeof text === 'string' ? text : decodeUtf8(text);
  return new Scanner(decoded, limits.maxDepth ?? DEFAULT_MAX_DEPTH).document();
}
