/** The history file: everything the log holds under one key, with what proves that there is nothing else. */
import { fromBase64 } from './octets.ts';

export interface IndexEntry {
  readonly position: number;
  readonly entry: string;
  readonly proof: readonly Uint8Array[];
}

export interface HistoryFile {
  readonly key: string;
  readonly period: { readonly from?: string; readonly to?: string };
  readonly checkpoint: string;
  readonly certificate: string;
  readonly index: { readonly size: number; readonly entries: readonly IndexEntry[] } | undefined;
  readonly events: readonly { readonly index: number; readonly canon: string; readonly proof: readonly Uint8Array[] }[];
  readonly tail: { readonly from: number; readonly edge: readonly Uint8Array[]; readonly events: readonly string[] };
}

type Members = Readonly<Record<string, unknown>>;

/** What is read does not have the form: thrown and caught in this file alone. */
class Misfit extends Error {}

function object(value: unknown, names: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Misfit();
  const known = names.split(' ');
  const needed = known.filter((name) => !name.endsWith('?'));
  const allowed = known.map((name) => name.replace('?', ''));
  if (!Object.keys(value).every((name) => allowed.includes(name))) throw new Misfit();
  if (!needed.every((name) => Object.hasOwn(value, name))) throw new Misfit();
  return value as Members;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Misfit();
  return value;
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Misfit();
  return value;
}

function list<T>(value: unknown, item: (one: unknown) => T): T[] {
  if (!Array.isArray(value)) throw new Misfit();
  return value.map(item);
}

function hash(value: unknown): Uint8Array {
  const octets = fromBase64(text(value));
  if (octets?.length !== 32) throw new Misfit();
  return octets;
}

function time(value: unknown): string {
  const given = text(value);
  if (Number.isNaN(Date.parse(given))) throw new Misfit();
  return given;
}

/** Reads a history file; undefined unless it has exactly the known members. */
export function parseHistory(json: string): HistoryFile | undefined {
  try {
    return historyOf(JSON.parse(json));
  } catch {
    return undefined;
  }
}

function historyOf(value: unknown): HistoryFile {
  const file = object(value, 'kind key period? checkpoint certificate index? events tail');
  if (file['kind'] !== 'kmc-audit-history/v1') throw new Misfit();
  const tail = object(file['tail'], 'from edge events');
  const { from, to } = object(file['period'] ?? {}, 'from? to?');
  const index = file['index'] === undefined ? undefined : object(file['index'], 'size entries');
  return {
    key: text(file['key']),
    period: { ...(from === undefined ? {} : { from: time(from) }), ...(to === undefined ? {} : { to: time(to) }) },
    checkpoint: text(file['checkpoint']),
    certificate: text(file['certificate']),
    index: index && { size: count(index['size']), entries: list(index['entries'], indexEntry) },
    events: list(file['events'], (one) => {
      const event = object(one, 'index canon proof');
      return { index: count(event['index']), canon: text(event['canon']), proof: list(event['proof'], hash) };
    }),
    tail: { from: count(tail['from']), edge: list(tail['edge'], hash), events: list(tail['events'], text) },
  };
}

function indexEntry(value: unknown): IndexEntry {
  const entry = object(value, 'position entry proof');
  return { position: count(entry['position']), entry: text(entry['entry']), proof: list(entry['proof'], hash) };
}
