/**
 * The transcript of a ceremony (C9, C10): a chain of records, each with the hash SM3(hash before ‖ canonical JSON), of
 * which the first follows on the plan hash. No record holds a secret and none a JSON number.
 */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import {
  isObject,
  oneOf,
  plainText,
  requireMembers,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
} from '../signed-body.ts';

const RECORD_KINDS = ['open', 'intent', 'result', 'initials', 'share', 'resume', 'deviation', 'end'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** Rules of the ceremony that a deviation can lift: the window may have ended, the machine may be connected (C15, C17). */
export const DEVIATION_RULES = ['window', 'network'] as const;
export type DeviationRule = (typeof DEVIATION_RULES)[number];

export interface TranscriptFile {
  /** Relative name in the bundle. */
  readonly name: string;
  readonly sm3: string;
}

export interface TranscriptRecord {
  /** 0, 1, 2 … in decimal. */
  readonly n: string;
  /** Hash of the record before; of the first one the plan hash. */
  readonly previous: string;
  readonly kind: RecordKind;
  /** Id of the step, or `-`. */
  readonly step: string;
  /** Wall clock. */
  readonly at: string;
  /** Monotonic clock: milliseconds since the ceremony was opened. */
  readonly elapsed: string;
  /** Who acted: ids of people, or `kmc`. */
  readonly operator: string;
  /** What was shown and done, for people. */
  readonly text: string;
  readonly outcome: 'begun' | 'success' | 'failure';
  /** Every file that was read or written. */
  readonly files: readonly TranscriptFile[];
  /** Named facts, all text. */
  readonly facts: Readonly<Record<string, string>>;
}

/** What the tool knows when it writes a record; number and hash before come from the chain. */
export type RecordFacts = Omit<TranscriptRecord, 'n' | 'previous'>;

export interface TranscriptFault {
  /** Position of the first record that does not hold, from 0; one behind the last where the end is missing. */
  readonly record: number;
  readonly detail: string;
}

const MAX_LINE = 65_536;
const LINE = /^\{"hash":"(sm3:[0-9a-f]{64})","record":(\{.*\})\}$/;
const NUMBER = /^(?:0|[1-9][0-9]{0,8})$/;

const CHECKS: Readonly<Record<keyof TranscriptRecord, MemberCheck>> = {
  n: textLike(NUMBER, 'a decimal number'),
  previous: sm3Text,
  kind: oneOf(RECORD_KINDS),
  step: (value) => (typeof value === 'string' && (value === '-' || ID.test(value)) ? undefined : 'must be a step or -'),
  at: signedTimeText,
  elapsed: textLike(NUMBER, 'a decimal number'),
  operator: plainText(256),
  text: plainText(1024),
  outcome: oneOf(['begun', 'success', 'failure']),
  files: (value) => (Array.isArray(value) && value.every(isFile) ? undefined : 'must be a list of names and digests'),
  facts: (value) =>
    isObject(value) && Object.values(value).every((text) => typeof text === 'string') ? undefined : 'must hold text',
};

function isFile(value: unknown): boolean {
  return (
    isObject(value) &&
    Object.keys(value).sort().join() === 'name,sm3' &&
    plainText(200)(value['name']) === undefined &&
    sm3Text(value['sm3']) === undefined
  );
}

/** The hash of a record: SM3(hash before, as text ‖ canonical JSON of the record). */
function recordHash(previous: string, canonical: string): string {
  return `sm3:${sm3(Buffer.from(previous + canonical, 'utf8')).toString('hex')}`;
}

/** A transcript that is being written. */
export class TranscriptChain {
  #head: string;
  #count: number;

  /**
   * @param head what the next record follows on: the plan hash, or the hash of the last record that is there.
   * @param count of the records that are there.
   */
  constructor(head: string, count = 0) {
    this.#head = head;
    this.#count = count;
  }

  /** Hash of the last record. */
  get head(): string {
    return this.#head;
  }

  /** The next record as a line of the file, with its hash. @throws KmcError E_JSON, E_SCHEMA. */
  next(facts: RecordFacts): { readonly line: Buffer; readonly record: ReadRecord } {
    const record: TranscriptRecord = { n: String(this.#count), previous: this.#head, ...facts };
    requireMembers<TranscriptRecord>(record, CHECKS, 'record of the transcript');
    const canonical = canonicalizeSigned(record);
    const hash = recordHash(this.#head, canonical);
    this.#head = hash;
    this.#count += 1;
    return { line: Buffer.from(`{"hash":"${hash}","record":${canonical}}\n`, 'utf8'), record: { ...record, hash } };
  }
}

export type ReadRecord = TranscriptRecord & { readonly hash: string };

export interface ReadTranscript {
  readonly records: readonly ReadRecord[];
  readonly head: string;
  /** The first record that does not hold; nothing when the whole chain does. */
  readonly fault?: TranscriptFault;
}

/** A transcript that may still go on. */
export interface OpenTranscript extends ReadTranscript {
  /** Octets behind the last line end: a record whose writing was cut, which nobody relies on. */
  readonly torn: number;
}

/** Reads and verifies a closed transcript up to the first record that does not hold. Never throws. */
export function readTranscript(bytes: Buffer, planHash: string): ReadTranscript {
  const { records, head, fault, torn } = readOpenTranscript(bytes, planHash);
  if (fault !== undefined) return { records, head, fault };
  if (torn === 0 && records.at(-1)?.kind === 'end') return { records, head };
  return { records, head, fault: { record: records.length, detail: 'the transcript ends before its last record' } };
}

/** The same for one that was cut, or that goes on: it may end anywhere, also inside of a line. Never throws. */
export function readOpenTranscript(bytes: Buffer, planHash: string): OpenTranscript {
  const whole = bytes.lastIndexOf(0x0a) + 1;
  const torn = bytes.length - whole;
  const lines = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
  const records: ReadRecord[] = [];
  let head = planHash;
  for (const line of lines) {
    const read = readRecord(line, head, records.length);
    if ('detail' in read) return { records, head, torn, fault: { record: records.length, detail: read.detail } };
    records.push(read.record);
    head = read.record.hash;
  }
  return { records, head, torn };
}

type LineReading = { readonly record: ReadRecord } | { readonly detail: string };

function readRecord(line: string, previous: string, position: number): LineReading {
  const [, hash, canonical] = LINE.exec(line) ?? [];
  if (hash === undefined || canonical === undefined) return { detail: 'it is not a line of a transcript' };
  let record: TranscriptRecord;
  try {
    const value: unknown = parseStrictJson(canonical, { maxBytes: MAX_LINE });
    requireMembers<TranscriptRecord>(value, CHECKS, 'record of the transcript');
    record = value;
    if (canonicalizeSigned(record) !== canonical) return { detail: 'it is not in its canonical form' };
  } catch (error) {
    if (error instanceof KmcError) return { detail: `it does not read: ${error.message}` };
    throw error;
  }
  if (recordHash(record.previous, canonical) !== hash) return { detail: 'its hash is not that of its content' };
  if (record.n !== String(position)) return { detail: `it has the number ${record.n}, not ${position}` };
  if (record.previous !== previous) return { detail: 'it does not follow on the record before it' };
  return { record: { ...record, hash } };
}

/** deviations.jsonl: each deviation of the transcript as a line of canonical JSON. */
export function deviationList(records: readonly ReadRecord[]): Buffer {
  const lines = records
    .filter(({ kind }) => kind === 'deviation')
    .map(({ n, step, at, text, facts, hash }) => canonicalizeSigned({ record: n, hash, step, at, text, ...facts }));
  return Buffer.from(lines.map((line) => `${line}\n`).join(''), 'utf8');
}
