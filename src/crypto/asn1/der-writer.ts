import { checkPrimitive, derError, TAG } from './der-value.ts';

const CONSTRUCTED = 0x20;
const CONTEXT = 0x80;
const MAX_LOW_TAG_NUMBER = 30;
const FIRST_UTC_YEAR = 1950;
const FIRST_GENERALIZED_YEAR = 2050;
const LAST_YEAR = 9999;

function lengthOctets(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x100) return 2;
  if (length < 0x10000) return 3;
  if (length < 0x1000000) return 4;
  return 5;
}

function element(tag: number, parts: readonly Buffer[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const octets = lengthOctets(length);
  const encoded = Buffer.alloc(1 + octets + length);
  encoded[0] = tag;
  if (octets === 1) {
    encoded[1] = length;
  } else {
    encoded[1] = CONTEXT | (octets - 1);
    encoded.writeUIntBE(length, 2, octets - 1);
  }
  let at = 1 + octets;
  for (const part of parts) at += part.copy(encoded, at);
  return encoded;
}

function primitive(tag: number, content: Buffer): Buffer {
  checkPrimitive(tag, content, 0, content.length);
  return element(tag, [content]);
}

/** SEQUENCE of TLVs in the given order. */
export function sequence(...parts: readonly Buffer[]): Buffer {
  return element(TAG.sequence, parts);
}

/** SEQUENCE OF for lists too long to spread as arguments. */
export function sequenceOf(parts: readonly Buffer[]): Buffer {
  return element(TAG.sequence, parts);
}

/** SET OF: the TLVs in ascending order of their octets (X.690 11.6). */
export function set(...parts: readonly Buffer[]): Buffer {
  return element(
    TAG.set,
    parts.toSorted((left, right) => Buffer.compare(left, right)),
  );
}

function integerContent(value: bigint): Buffer {
  // The shortest two's complement: one bit more than the magnitude needs, in whole octets.
  const magnitude = value < 0n ? -value - 1n : value;
  const octets = Math.floor(magnitude.toString(16).length / 2) + 1;
  const hex = BigInt.asUintN(octets * 8, value)
    .toString(16)
    .padStart(octets * 2, '0');
  const content = Buffer.from(hex, 'hex');
  const padded =
    octets > 1 && (content[0] === 0x00 ? (content[1] ?? 0) < 0x80 : content[0] === 0xff && (content[1] ?? 0) >= 0x80);
  return padded ? content.subarray(1) : content;
}

function magnitudeContent(magnitude: Buffer): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const trimmed = magnitude.subarray(start);
  return trimmed.length > 0 && (trimmed[0] ?? 0) < 0x80 ? trimmed : Buffer.concat([Buffer.alloc(1), trimmed]);
}

/**
 * INTEGER of a bigint, a safe integer, or a Buffer holding an unsigned big-endian magnitude (leading zeros and the empty
 * Buffer are allowed). Throws `E_DER` for a number that is not a safe integer.
 */
export function integer(value: bigint | number | Buffer): Buffer {
  if (Buffer.isBuffer(value)) return element(TAG.integer, [magnitudeContent(value)]);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw derError('a number is not a safe integer');
  return element(TAG.integer, [integerContent(BigInt(value))]);
}

/** ENUMERATED of a safe integer. Throws `E_DER` for another number. */
export function enumerated(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw derError('a number is not a safe integer');
  return element(TAG.enumerated, [integerContent(BigInt(value))]);
}

function arcOctets(arc: number): number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift(0x80 | (rest % 128));
  return octets;
}

const KNOWN_OIDS = new Map<string, Buffer>();
/** What is written comes from the code and from policy, so there are few. */
const KNOWN_OIDS_LIMIT = 512;

/**
 * OBJECT IDENTIFIER of a dotted form; the Buffer is shared and must not be altered. Throws `E_DER` for text that is not
 * one or an arc above 32 bits.
 */
export function oid(dotted: string): Buffer {
  const known = KNOWN_OIDS.get(dotted);
  if (known !== undefined) return known;
  const written = writeOid(dotted);
  if (KNOWN_OIDS.size < KNOWN_OIDS_LIMIT) KNOWN_OIDS.set(dotted, written);
  return written;
}

function writeOid(dotted: string): Buffer {
  if (!/^[0-2](\.(0|[1-9][0-9]{0,9})){1,64}$/.test(dotted))
    throw derError('an OBJECT IDENTIFIER is not dotted decimal');
  const [root = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  if (root < 2 && second > 39) throw derError('the second arc of an OBJECT IDENTIFIER is above 39');
  return primitive(TAG.oid, Buffer.from([root * 40 + second, ...rest].flatMap(arcOctets)));
}

/** OCTET STRING. */
export function octetString(content: Buffer): Buffer {
  return element(TAG.octetString, [content]);
}

/** BIT STRING; the last `unusedBits` bits do not count and must be zero, else `E_DER`. */
export function bitString(content: Buffer, unusedBits = 0): Buffer {
  return primitive(TAG.bitString, Buffer.concat([Buffer.from([unusedBits]), content]));
}

/** BOOLEAN. */
export function boolean(value: boolean): Buffer {
  return element(TAG.boolean, [Buffer.from([value ? 0xff : 0x00])]);
}

/** NULL. */
export function nullValue(): Buffer {
  return element(TAG.null, []);
}

/** UTF8String. Throws `E_DER` for text with a lone surrogate. */
export function utf8String(text: string): Buffer {
  if (/\p{Surrogate}/u.test(text)) throw derError('a text holds a lone surrogate');
  return element(TAG.utf8String, [Buffer.from(text, 'utf8')]);
}

/** PrintableString. Throws `E_DER` for a character outside its set. */
export function printableString(text: string): Buffer {
  return primitive(TAG.printableString, Buffer.from(text, 'utf8'));
}

/** IA5String. Throws `E_DER` for a character outside ASCII. */
export function ia5String(text: string): Buffer {
  return primitive(TAG.ia5String, Buffer.from(text, 'utf8'));
}

function timeDigits(date: Date, firstYear: number): string {
  const year = date.getUTCFullYear();
  if (!(year >= firstYear && year <= LAST_YEAR)) throw derError(`a date is not between ${firstYear} and ${LAST_YEAR}`);
  return `${date.toISOString().slice(0, 19).replaceAll(/[-T:]/g, '')}Z`;
}

/**
 * Time of RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050; parts of a second are dropped. Throws `E_DER`
 * for a date outside 1950 to 9999.
 */
export function time(date: Date): Buffer {
  const digits = timeDigits(date, FIRST_UTC_YEAR);
  if (date.getUTCFullYear() >= FIRST_GENERALIZED_YEAR) return generalizedTime(date);
  return primitive(TAG.utcTime, Buffer.from(digits.slice(2), 'latin1'));
}

/** GeneralizedTime of any year from 0 to 9999; parts of a second are dropped. Throws `E_DER` outside that range. */
export function generalizedTime(date: Date): Buffer {
  return primitive(TAG.generalizedTime, Buffer.from(timeDigits(date, 0), 'latin1'));
}

function contextTag(number: number): number {
  if (!Number.isInteger(number) || number < 0 || number > MAX_LOW_TAG_NUMBER)
    throw derError('a tag number is above 30');
  return CONTEXT | number;
}

/** `[n] EXPLICIT`: `inner` is a whole TLV. */
export function contextExplicit(number: number, inner: Buffer): Buffer {
  return element(contextTag(number) | CONSTRUCTED, [inner]);
}

/** `[n] IMPLICIT`: the TLV `tlv` with its tag replaced; the constructed bit stays. */
export function contextImplicit(number: number, tlv: Buffer): Buffer {
  const tagged = Buffer.from(tlv);
  tagged[0] = contextTag(number) | ((tlv[0] ?? 0) & CONSTRUCTED);
  return tagged;
}

/** `[n]` primitive with these content octets, as in GeneralName. */
export function contextPrimitive(number: number, content: Buffer): Buffer {
  return element(contextTag(number), [content]);
}
