import { children, decodeDer } from './der-gate.ts';
import type { DerElement, DerLimits } from './der-gate.ts';
import { checkPrimitive, derError, parseTime, TAG } from './der-value.ts';

const FIRST_GENERALIZED_YEAR = 2050;
const MAX_SMALL_INTEGER_OCTETS = 4;

/** Walks the elements of a constructed type in order; every surprise is `E_DER` naming the field. */
export class DerCursor {
  readonly #elements: readonly DerElement[];
  #position = 0;

  constructor(elements: readonly DerElement[]) {
    this.#elements = elements;
  }

  /** Number of elements not yet taken. */
  get remaining(): number {
    return this.#elements.length - this.#position;
  }

  /** The next element without taking it. */
  peek(): DerElement | undefined {
    return this.#elements[this.#position];
  }

  /** Takes the next element, which must carry `tag`; `what` names the field in the error. */
  next(tag: number, what: string): DerElement {
    const element = this.any(what);
    if (element.tag !== tag) throw derError(`${what} must have ${tagText(tag)} and has ${tagText(element.tag)}`);
    return element;
  }

  /** Takes the next element if it carries `tag`. */
  optional(tag: number): DerElement | undefined {
    const element = this.peek();
    if (element?.tag !== tag) return undefined;
    this.#position += 1;
    return element;
  }

  /** Takes the next element whatever its tag. */
  any(what: string): DerElement {
    const element = this.peek();
    if (element === undefined) throw derError(`${what} is missing`);
    this.#position += 1;
    return element;
  }

  /** Refuses elements that were not taken; `what` names the structure. */
  end(what: string): void {
    if (this.remaining > 0) throw derError(`${what} holds more elements than it may`);
  }
}

function tagText(tag: number): string {
  return `tag 0x${tag.toString(16).padStart(2, '0')}`;
}

function contentOf(element: DerElement, tag: number): Buffer {
  if (element.tag !== tag) throw derError(`${tagText(tag)} is expected and ${tagText(element.tag)} found`);
  const content = element.content;
  checkPrimitive(tag, content, 0, content.length);
  return content;
}

/** A cursor over the children of a constructed element. Throws `E_DER` when it is primitive. */
export function cursor(element: DerElement): DerCursor {
  return new DerCursor(children(element));
}

/**
 * The gate and a cursor in one, for input that must be a SEQUENCE: the outermost tag is checked too, which `cursor` alone
 * does not. Throws what `decodeDer` throws, and `E_DER` for another type; `what` names the structure.
 */
export function decodeSequence(bytes: Buffer, what: string, limits: DerLimits = {}): DerCursor {
  return cursor(new DerCursor([decodeDer(bytes, limits)]).next(TAG.sequence, what));
}

/** The value of an INTEGER. Throws `E_DER` for another type. */
export function readInteger(element: DerElement): bigint {
  const content = contentOf(element, TAG.integer);
  return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`));
}

/**
 * The big-endian magnitude of an INTEGER that must not be negative, without the sign octet (zero is one octet 00).
 * Throws `E_DER` when negative or longer than `maxOctets`.
 */
export function readUnsignedInteger(element: DerElement, maxOctets: number): Buffer {
  const content = contentOf(element, TAG.integer);
  if ((content[0] ?? 0) >= 0x80) throw derError('an INTEGER is negative');
  const magnitude = content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  if (magnitude.length > maxOctets) throw derError(`an INTEGER is longer than ${maxOctets} octets`);
  return magnitude;
}

function smallNumber(content: Buffer): number {
  if (content.length > MAX_SMALL_INTEGER_OCTETS) throw derError('an INTEGER is too large here');
  return content.readIntBE(0, content.length);
}

/** The value of an INTEGER of at most four content octets (-2^31 .. 2^31-1). Throws `E_DER` for a larger one. */
export function readSmallInteger(element: DerElement): number {
  return smallNumber(contentOf(element, TAG.integer));
}

/** The value of an ENUMERATED of at most four content octets. Throws `E_DER` for another type. */
export function readEnumerated(element: DerElement): number {
  return smallNumber(contentOf(element, TAG.enumerated));
}

/** The dotted form of an OBJECT IDENTIFIER. Throws `E_DER` for another type. */
export function readOid(element: DerElement): string {
  const content = contentOf(element, TAG.oid);
  let dotted = '';
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (dotted === '') {
      const root = Math.min(2, Math.floor(arc / 40));
      dotted = `${root}.${arc - root * 40}`;
    } else {
      dotted += `.${arc}`;
    }
    arc = 0;
  }
  return dotted;
}

/** The value of a BOOLEAN. Throws `E_DER` for another type. */
export function readBoolean(element: DerElement): boolean {
  return contentOf(element, TAG.boolean)[0] === 0xff;
}

/** The octets of a BIT STRING and how many bits of the last one do not count. Throws `E_DER` for another type. */
export function readBitString(element: DerElement): { bytes: Buffer; unusedBits: number } {
  const content = contentOf(element, TAG.bitString);
  return { bytes: content.subarray(1), unusedBits: content[0] ?? 0 };
}

/** The octets of an OCTET STRING. Throws `E_DER` for another type. */
export function readOctetString(element: DerElement): Buffer {
  return contentOf(element, TAG.octetString);
}

/**
 * A Time of RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050. Throws `E_DER` for another type and for a
 * GeneralizedTime before 2050.
 */
export function readTime(element: DerElement): Date {
  if (element.tag === TAG.utcTime) return parseTime(contentOf(element, TAG.utcTime), 0, 2);
  const date = readGeneralizedTime(element);
  if (date.getUTCFullYear() < FIRST_GENERALIZED_YEAR) throw derError('a date before 2050 must be a UTCTime');
  return date;
}

/** A GeneralizedTime of any year, as in OCSP, invalidityDate and GM/T 0014. Throws `E_DER` for another type. */
export function readGeneralizedTime(element: DerElement): Date {
  return parseTime(contentOf(element, TAG.generalizedTime), 0, 4);
}

/** String types with a known character set and how Node names the decoding of their (already checked) octets. */
const STRING_DECODINGS: ReadonlyMap<number, BufferEncoding> = new Map<number, BufferEncoding>([
  [TAG.utf8String, 'utf8'],
  [TAG.printableString, 'latin1'],
  [TAG.ia5String, 'latin1'],
  [TAG.numericString, 'latin1'],
  [TAG.visibleString, 'latin1'],
]);

/**
 * The text of a UTF8String, PrintableString, IA5String, NumericString or VisibleString. Throws `E_DER` for other types
 * (TeletexString, BMPString and UniversalString among them) and for characters outside the type's set.
 */
export function readString(element: DerElement): string {
  const decoding = STRING_DECODINGS.get(element.tag);
  if (decoding === undefined) throw derError(`${tagText(element.tag)} is not an accepted string type`);
  return contentOf(element, element.tag).toString(decoding);
}
