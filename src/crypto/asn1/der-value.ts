import { KmcError } from '../../errors.ts';

/** First identifier octets of the universal types used by X.509, PKCS and the GM standards (X.690 8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

type ContentRule = (bytes: Buffer, start: number, end: number) => void;

/** The error of every refusal in this directory: `E_DER` with a text that names the broken rule. */
export function derError(message: string): KmcError {
  return new KmcError('E_DER', `Not strict DER: ${message}.`);
}

function checkBoolean(bytes: Buffer, start: number, end: number): void {
  if (end - start !== 1 || (bytes[start] !== 0x00 && bytes[start] !== 0xff)) {
    throw derError('a BOOLEAN must be one octet, 00 or FF');
  }
}

function checkInteger(bytes: Buffer, start: number, end: number): void {
  if (end === start) throw derError('an INTEGER has no content');
  if (end - start === 1) return;
  const first = bytes[start];
  const second = bytes[start + 1] ?? 0;
  if ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80)) {
    throw derError('an INTEGER is not in its shortest form');
  }
}

function checkBitString(bytes: Buffer, start: number, end: number): void {
  const unused = bytes[start];
  if (end === start || unused === undefined) throw derError('a BIT STRING has no content');
  if (unused > 7 || (unused > 0 && end - start === 1)) throw derError('a BIT STRING has a wrong number of unused bits');
  if (unused > 0 && ((bytes[end - 1] ?? 0) & ((1 << unused) - 1)) !== 0) {
    throw derError('the unused bits of a BIT STRING must be zero');
  }
}

function checkNull(_bytes: Buffer, start: number, end: number): void {
  if (start !== end) throw derError('a NULL has content');
}

function checkOid(bytes: Buffer, start: number, end: number): void {
  if (end === start) throw derError('an OBJECT IDENTIFIER has no content');
  let arc = 0;
  let atArcStart = true;
  for (let index = start; index < end; index += 1) {
    const octet = bytes[index] ?? 0;
    if (atArcStart && octet === 0x80) throw derError('an OBJECT IDENTIFIER arc is padded');
    arc = arc * 128 + (octet & 0x7f);
    // Software that keeps arcs in 32 bits would take a larger one for another OID (CVE-2025-66030).
    if (arc > 0xffffffff) throw derError('an OBJECT IDENTIFIER arc exceeds 32 bits');
    atArcStart = octet < 0x80;
    if (atArcStart) arc = 0;
  }
  if (!atArcStart) throw derError('an OBJECT IDENTIFIER ends inside an arc');
}

function charactersRule(name: string, allowed: (octet: number) => boolean): ContentRule {
  const table = Array.from({ length: 256 }, (_unused, octet) => allowed(octet));
  return (bytes, start, end) => {
    for (let index = start; index < end; index += 1) {
      if (table[bytes[index] ?? 0] !== true) throw derError(`a ${name} holds a character outside its set`);
    }
  };
}

const PRINTABLE = new Set(
  Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?", 'latin1'),
);

function checkUtf8(bytes: Buffer, start: number, end: number): void {
  let index = start;
  while (index < end && (bytes[index] ?? 0) < 0x80) index += 1;
  if (index === end) return;
  // Decoding replaces every bad sequence by U+FFFD, so only well-formed text comes back unchanged.
  const content = bytes.subarray(start, end);
  if (!Buffer.from(content.toString('utf8'), 'utf8').equals(content)) throw derError('a UTF8String is not UTF-8');
}

function unitRule(name: string, octets: number): ContentRule {
  return (_bytes, start, end) => {
    if ((end - start) % octets !== 0) throw derError(`a ${name} ends inside a character`);
  };
}

function twoDigits(bytes: Buffer, at: number): number {
  const tens = (bytes[at] ?? 0) - 0x30;
  const ones = (bytes[at + 1] ?? 0) - 0x30;
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw derError('a time holds a character that is not a digit');
  return tens * 10 + ones;
}

function timeRule(name: string, yearDigits: 2 | 4): ContentRule {
  return (bytes, start, end) => {
    if (end - start !== yearDigits + 11 || bytes[end - 1] !== 0x5a) {
      throw derError(`a ${name} must be written with seconds, without fractions, in UTC (Z)`);
    }
    parseTime(bytes, start, yearDigits);
  };
}

/**
 * Reads the digits of a UTCTime (`yearDigits` 2; 50..99 is the 20th century, RFC 5280 4.1.2.5.1) or GeneralizedTime
 * (4) at `start`. Throws `E_DER` for a date that is not in the calendar; second 60 is refused.
 */
export function parseTime(bytes: Buffer, start: number, yearDigits: 2 | 4): Date {
  const lead = twoDigits(bytes, start);
  const short = lead + (lead >= 50 ? 1900 : 2000);
  const year = yearDigits === 2 ? short : lead * 100 + twoDigits(bytes, start + 2);
  const at = start + yearDigits;
  const month = twoDigits(bytes, at);
  const day = twoDigits(bytes, at + 2);
  const hour = twoDigits(bytes, at + 4);
  const minute = twoDigits(bytes, at + 6);
  const second = twoDigits(bytes, at + 8);
  const date = new Date(0);
  // Date.UTC would read the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  const inCalendar = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!inCalendar || hour > 23 || minute > 59 || second > 59) throw derError('a time is not in the calendar');
  date.setUTCHours(hour, minute, second);
  return date;
}

/** What the content of each primitive universal type must be (X.690 section 8, 10 and 11). Any other tag is refused. */
const CONTENT_RULES: ReadonlyMap<number, ContentRule> = new Map<number, ContentRule>([
  [TAG.boolean, checkBoolean],
  [TAG.integer, checkInteger],
  [TAG.bitString, checkBitString],
  [TAG.octetString, () => undefined],
  [TAG.null, checkNull],
  [TAG.oid, checkOid],
  [TAG.enumerated, checkInteger],
  [TAG.utf8String, checkUtf8],
  [TAG.numericString, charactersRule('NumericString', (octet) => octet === 0x20 || (octet >= 0x30 && octet <= 0x39))],
  [TAG.printableString, charactersRule('PrintableString', (octet) => PRINTABLE.has(octet))],
  [TAG.teletexString, () => undefined],
  [TAG.ia5String, charactersRule('IA5String', (octet) => octet < 0x80)],
  [TAG.utcTime, timeRule('UTCTime', 2)],
  [TAG.generalizedTime, timeRule('GeneralizedTime', 4)],
  [TAG.visibleString, charactersRule('VisibleString', (octet) => octet >= 0x20 && octet < 0x7f)],
  [TAG.universalString, unitRule('UniversalString', 4)],
  [TAG.bmpString, unitRule('BMPString', 2)],
]);

/**
 * Checks the content octets `bytes[start..end)` of a primitive universal type against X.690. Throws `E_DER` where they
 * break the rules of that type, and for a universal tag that nothing here uses.
 */
export function checkPrimitive(tag: number, bytes: Buffer, start: number, end: number): void {
  const rule = CONTENT_RULES.get(tag);
  if (rule === undefined) throw derError(`tag 0x${tag.toString(16).padStart(2, '0')} is not allowed`);
  rule(bytes, start, end);
}
