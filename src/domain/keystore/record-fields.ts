/**
 * Strict reading of the keystore's own JSON files: every field is asked for by name, form and size, nothing else may
 * stand in the record, and the bytes must be the canonical ones, so that one content has one form.
 */
import { canonicalize, parseStrictJson, type JsonObject, type JsonValue } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';

const MAX_DEPTH = 8;
const MAX_RECORD_BYTES = 4_194_304;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The bytes of a record: RFC 8785 canonical JSON and one line feed. */
export function encodeRecord(record: JsonObject): Buffer {
  return Buffer.from(`${canonicalize(record)}\n`, 'utf8');
}

/**
 * Decodes bytes that `encodeRecord` made.
 * @param what names the file in error texts.
 * @param read asks for every field.
 * @throws KmcError E_INTEGRITY for anything else than exactly such bytes.
 */
export function decodeRecord<T>(bytes: Buffer, what: string, read: (fields: RecordFields) => T): T {
  let value: JsonValue;
  try {
    value = parseStrictJson(bytes, { maxDepth: MAX_DEPTH, maxBytes: MAX_RECORD_BYTES });
  } catch (error) {
    throw new KmcError('E_INTEGRITY', `${what} does not read. Restore it from the backup.`, { cause: error });
  }
  const result = readFields(value, what, read);
  if (!encodeRecord(asRecord(value, what)).equals(bytes)) throw misfit(what, 'is not in its canonical form');
  return result;
}

function readFields<T>(value: JsonValue, what: string, read: (fields: RecordFields) => T): T {
  const fields = new RecordFields(asRecord(value, what), what);
  const result = read(fields);
  fields.end();
  return result;
}

/** The fields of one record. Each method throws KmcError E_INTEGRITY when the field is absent or of another form. */
export class RecordFields {
  readonly #record: JsonObject;
  readonly #what: string;
  readonly #asked = new Set<string>();

  constructor(record: JsonObject, what: string) {
    this.#record = record;
    this.#what = what;
  }

  /** A string of this form. */
  text(name: string, form: RegExp): string {
    const value = this.#take(name);
    if (typeof value !== 'string' || !form.test(value)) throw misfit(this.#what, `has a wrong "${name}"`);
    return value;
  }

  /** As `text`; nothing when the field is absent. */
  optionalText(name: string, form: RegExp): string | undefined {
    return this.#has(name) ? this.text(name, form) : undefined;
  }

  /** A string out of a closed list. */
  choice<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#take(name);
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) throw misfit(this.#what, `has a wrong "${name}"`);
    return found;
  }

  /** A whole number from `least` to `most`. */
  integer(name: string, least: number, most: number): number {
    const value = this.#take(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw misfit(this.#what, `has a wrong "${name}"`);
    }
    return value;
  }

  /** Bytes in base64 with padding. */
  bytes(name: string, maxBytes: number): Buffer {
    const text = this.text(name, BASE64);
    const bytes = Buffer.from(text, 'base64');
    // The last character may hold bits that no byte takes.
    if (bytes.length > maxBytes || bytes.toString('base64') !== text) throw misfit(this.#what, `has a wrong "${name}"`);
    return bytes;
  }

  /** A UTC time with milliseconds, as Date.toISOString writes it. */
  time(name: string): Date {
    const text = this.text(name, TIME);
    const time = new Date(text);
    if (Number.isNaN(time.getTime()) || time.toISOString() !== text) throw misfit(this.#what, `has a wrong "${name}"`);
    return time;
  }

  /** One record inside this one. */
  record<T>(name: string, read: (fields: RecordFields) => T): T {
    return readFields(this.#take(name), this.#what, read);
  }

  /** As `record`; nothing when the field is absent. */
  optionalRecord<T>(name: string, read: (fields: RecordFields) => T): T | undefined {
    return this.#has(name) ? this.record(name, read) : undefined;
  }

  /** A list of records. */
  list<T>(name: string, read: (fields: RecordFields) => T): T[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) throw misfit(this.#what, `has a wrong "${name}"`);
    return value.map((item: JsonValue) => readFields(item, this.#what, read));
  }

  /** A list of strings of this form. */
  texts(name: string, form: RegExp): string[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) throw misfit(this.#what, `has a wrong "${name}"`);
    return value.map((item: JsonValue) => {
      if (typeof item !== 'string' || !form.test(item)) throw misfit(this.#what, `has a wrong "${name}"`);
      return item;
    });
  }

  /** Refuses fields that nobody asked for. */
  end(): void {
    const unknown = Object.keys(this.#record).filter((name) => !this.#asked.has(name));
    if (unknown.length > 0) throw misfit(this.#what, 'has a field that it must not have');
  }

  #has(name: string): boolean {
    this.#asked.add(name);
    return Object.hasOwn(this.#record, name);
  }

  #take(name: string): JsonValue {
    const value = this.#has(name) ? this.#record[name] : undefined;
    if (value === undefined) throw misfit(this.#what, `lacks "${name}"`);
    return value;
  }
}

function asRecord(value: JsonValue, what: string): JsonObject {
  if (!isJsonObject(value)) throw misfit(what, 'is not a record');
  return value;
}

function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function misfit(what: string, fault: string): KmcError {
  return new KmcError('E_INTEGRITY', `${what} ${fault}. Restore it from the backup.`);
}
