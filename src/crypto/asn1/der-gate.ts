import { KmcError } from '../../errors.ts';
import { checkPrimitive, derError, TAG } from './der-value.ts';

/** One tag-length-value. `content` and `encoded` are views into the decoded input, not copies. */
export interface DerElement {
  /** First identifier octet, for example 0x30. */
  readonly tag: number;
  /** The content octets. */
  readonly content: Buffer;
  /** The whole TLV. */
  readonly encoded: Buffer;
}

export interface DerLimits {
  /** Longest input in octets; 1 MiB unless told. */
  readonly maxBytes?: number;
  /** Deepest nesting of constructed elements; 32 unless told. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_BYTES = 1_048_576;
const DEFAULT_MAX_DEPTH = 32;
const CONSTRUCTED = 0x20;
const CLASS_MASK = 0xc0;
const HIGH_TAG_NUMBER = 0x1f;

/** A TLV inside `source`; its views are made only when asked for, so that long lists stay cheap. */
class SourceElement implements DerElement {
  readonly tag: number;
  readonly #source: Buffer;
  readonly #start: number;
  readonly #contentStart: number;
  /** Where the next element begins. */
  readonly end: number;

  constructor(source: Buffer, start: number, contentStart: number, end: number) {
    this.tag = source[start] ?? 0;
    this.#source = source;
    this.#start = start;
    this.#contentStart = contentStart;
    this.end = end;
  }

  get content(): Buffer {
    return this.#source.subarray(this.#contentStart, this.end);
  }

  get encoded(): Buffer {
    return this.#source.subarray(this.#start, this.end);
  }
}

function tagAt(bytes: Buffer, at: number, end: number): number {
  const tag = bytes[at];
  if (tag === undefined || at >= end) throw derError('the input ends before a tag');
  if ((tag & HIGH_TAG_NUMBER) === HIGH_TAG_NUMBER) throw derError('high tag numbers are not allowed');
  return tag;
}

function contentStartAt(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at + 1];
  if (first === undefined || at + 1 >= end) throw derError('the input ends before a length');
  if (first < 0x80) return at + 2;
  if (first === 0x80) throw derError('indefinite length');
  const octets = first & 0x7f;
  if (octets > 4) throw derError('a length of more than four octets');
  if (at + 2 + octets > end) throw derError('the input ends inside a length');
  return at + 2 + octets;
}

function lengthAt(bytes: Buffer, at: number, contentStart: number, end: number): number {
  let length = bytes[at + 1] ?? 0;
  if (length >= 0x80) {
    length = 0;
    for (let index = at + 2; index < contentStart; index += 1) length = length * 256 + (bytes[index] ?? 0);
    if (length < 0x80 || bytes[at + 2] === 0) throw derError('a length is not in its shortest form');
  }
  if (length > end - contentStart) throw derError('a length exceeds the octets that are there');
  return length;
}

function constructedContent(element: DerElement): Buffer {
  if ((element.tag & CONSTRUCTED) === 0) throw derError('a primitive element stands where a constructed one must');
  return element.content;
}

function checkTree(bytes: Buffer, start: number, end: number, depth: number): number {
  const tag = tagAt(bytes, start, end);
  const contentStart = contentStartAt(bytes, start, end);
  const contentEnd = contentStart + lengthAt(bytes, start, contentStart, end);
  const universal = (tag & CLASS_MASK) === 0;
  if ((tag & CONSTRUCTED) === 0) {
    if (universal) checkPrimitive(tag, bytes, contentStart, contentEnd);
    return contentEnd;
  }
  if (universal && tag !== TAG.sequence && tag !== TAG.set) throw derError('a string type is constructed');
  if (depth === 0) throw derError('nested too deeply');
  let previous = -1;
  for (let at = contentStart; at < contentEnd;) {
    const next = checkTree(bytes, at, contentEnd, depth - 1);
    if (tag === TAG.set && previous >= 0 && bytes.compare(bytes, at, next, previous, at) > 0) {
      throw derError('the elements of a SET OF are not in ascending order');
    }
    previous = at;
    at = next;
  }
  return contentEnd;
}

/**
 * The gate in front of every parser: accepts `bytes` only if they are exactly one TLV whose whole tree is strict DER
 * (X.690 section 10 and 11): definite shortest lengths, no high tag numbers, valid primitive universal values, sorted
 * SET OF. The content of OCTET STRINGs, BIT STRINGs and context-tagged primitives is not looked into. Throws `E_SIZE`
 * above `maxBytes`, `E_DER` otherwise.
 */
export function decodeDer(bytes: Buffer, limits: DerLimits = {}): DerElement {
  const maxBytes = limits.maxBytes ?? DEFAULT_MAX_BYTES;
  if (bytes.length > maxBytes) {
    throw new KmcError('E_SIZE', `The DER input has ${bytes.length} octets; at most ${maxBytes} are accepted here.`);
  }
  const end = checkTree(bytes, 0, bytes.length, limits.maxDepth ?? DEFAULT_MAX_DEPTH);
  if (end !== bytes.length) throw derError('octets follow after the outermost element');
  return new SourceElement(bytes, 0, contentStartAt(bytes, 0, end), end);
}

function elementAt(source: Buffer, at: number): SourceElement {
  const contentStart = contentStartAt(source, at, source.length);
  return new SourceElement(source, at, contentStart, contentStart + lengthAt(source, at, contentStart, source.length));
}

/**
 * The elements inside a constructed element, in order, one at a time: for lists too long to hold as an array.
 * Throws `E_DER` when `element` is primitive.
 */
export function* eachChild(element: DerElement): Generator<DerElement, void, undefined> {
  const source = constructedContent(element);
  for (let at = 0; at < source.length;) {
    const child = elementAt(source, at);
    yield child;
    at = child.end;
  }
}

/** The elements inside a constructed element, in order. Throws `E_DER` when `element` is primitive. */
export function children(element: DerElement): DerElement[] {
  // Not made of eachChild: a generator doubles the time of parsing a certificate.
  const source = constructedContent(element);
  const found: DerElement[] = [];
  for (let at = 0; at < source.length;) {
    const child = elementAt(source, at);
    found.push(child);
    at = child.end;
  }
  return found;
}

/**
 * An IMPLICIT tagged element seen as the universal type `tag` behind its tag, checked against the rules of that type
 * (the gate could not know them). Throws `E_DER` when the content breaks them or the constructed bit differs.
 */
export function implicitAs(element: DerElement, tag: number): DerElement {
  if (((element.tag ^ tag) & CONSTRUCTED) !== 0) throw derError('an IMPLICIT tag hides another kind of type');
  const encoded = Buffer.from(element.encoded);
  encoded[0] = tag;
  return decodeDer(encoded, { maxBytes: encoded.length });
}
