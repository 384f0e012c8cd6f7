/** `kmc audit export`: events for other programs, page by page, as they are or as they come. */
import { existsSync, promises } from 'node:fs';
import { createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { errorOfAnswer, type KmcClient } from '../agent/signed-client.ts';
import { AUDIT_FORMAT_NAMES, AUDIT_FORMATS, type AuditFormatName } from '../domain/audit/projections/formats.ts';
import type { PlacedEvent } from '../domain/audit/projections/placed-event.ts';
import { parseAuditRecord } from '../domain/audit/record.ts';
import { KmcError } from '../errors.ts';
import type { CommandInput, OptionSpec, Outcome } from './command.ts';
import { readNamedFile, replaceNamedFile } from './named-file.ts';

const FILTERS = ['since', 'until', 'actor', 'action', 'subject', 'region', 'outcome'] as const;

export const EXPORT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  out: { type: 'string', value: 'FILE', required: true, help: 'where to write; added to when --cursor-file is there' },
  format: { type: 'string', value: 'FORMAT', help: `${AUDIT_FORMAT_NAMES.join(', ')} (default jsonl)` },
  gzip: { type: 'boolean', help: 'compresses the file' },
  follow: { type: 'boolean', help: 'goes on with what comes until it is stopped' },
  'cursor-file': { type: 'string', value: 'FILE', help: 'remembers how far it came; the next run goes on there' },
  since: { type: 'string', value: 'TIME', help: 'events of this time or later' },
  until: { type: 'string', value: 'TIME', help: 'events before this time' },
  actor: { type: 'string', value: 'ID', help: 'who did it' },
  action: { type: 'string', value: 'ACTION', help: 'an action, or its beginning up to the dot: key.' },
  subject: { type: 'string', value: 'TYPE:ID', help: 'what it was done to' },
  region: { type: 'string', value: 'CODE', help: 'region of the event' },
  outcome: { type: 'string', value: 'OUTCOME', help: 'success, failure, denied or unknown' },
};

const PAGE = 5_000;
const FOLLOW_MS = 2_000;

interface Page {
  readonly events: readonly PlacedEvent[];
  /** Index behind the last leaf that was looked at. */
  readonly next: number;
  /** Cursor of the next page of this pull. */
  readonly cursor: string | undefined;
  readonly size: number;
}

interface Trailer {
  readonly scanned: readonly [number, number];
  readonly size: number;
  readonly next?: string;
}

function isTrailer(value: unknown): value is Trailer {
  return typeof value === 'object' && value !== null && 'scanned' in value && 'size' in value;
}

/** @throws KmcError as answered; E_SCHEMA for an answer of another form. */
async function fetchPage(client: KmcClient, query: URLSearchParams): Promise<Page> {
  const answer = await client.send('GET', `/api/v1/audit/events?${query.toString()}`);
  if (answer.status !== 200) throw errorOfAnswer(answer);
  const lines = answer.body.toString('utf8').trimEnd().split('\n');
  const trailer: unknown = JSON.parse(lines.pop() ?? '');
  if (!isTrailer(trailer)) throw new KmcError('E_SCHEMA', 'The service answered with something else than events.');
  const { next, scanned, size } = trailer;
  return { events: lines.map(placedEvent), next: scanned[1], cursor: next, size };
}

function placedEvent(line: string): PlacedEvent {
  const { index, leaf, canon } = JSON.parse(line) as { index: number; leaf: string; canon: string };
  const octets = Buffer.from(canon, 'utf8');
  return { index, leaf: Buffer.from(leaf, 'base64url'), canon: octets, record: parseAuditRecord(octets) };
}

interface ExportRun {
  readonly client: KmcClient;
  readonly input: CommandInput;
  readonly format: AuditFormatName;
  readonly follow: boolean;
  /** Index to begin with. */
  readonly start: number;
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
  /** Told the index behind what was handed on, once it is written. */
  readonly reached: (next: number) => void;
}

/** The text of the export, page by page; nothing is kept of a page that was handed on. */
async function* pagesOf(run: ExportRun): AsyncGenerator<string> {
  const { header, line } = AUDIT_FORMATS[run.format];
  if (run.start === 0 && header !== '') yield header;
  const filters = FILTERS.flatMap((name): [string, string][] => {
    const value = run.input.text(name);
    return value === undefined ? [] : [[name, value]];
  });
  let from = run.start;
  let cursor: string | undefined;
  while (!run.signal.aborted) {
    const place = cursor === undefined ? { from: String(from) } : { cursor };
    const page = await fetchPage(
      run.client,
      new URLSearchParams([...filters, ...Object.entries({ limit: String(PAGE), ...place })]),
    );
    if (page.events.length > 0) yield page.events.map(line).join('');
    from = page.next;
    cursor = page.cursor;
    run.reached(from);
    run.progress(from, page.size);
    if (cursor !== undefined) continue;
    if (!run.follow) return;
    await stoppablePause(FOLLOW_MS, run.signal);
  }
}

async function stoppablePause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function formatOf(input: CommandInput): AuditFormatName {
  const name = input.text('format') ?? 'jsonl';
  const format = AUDIT_FORMAT_NAMES.find((known) => known === name);
  if (format !== undefined) return format;
  throw new KmcError('E_USAGE', `There is no format "${name}": use ${AUDIT_FORMAT_NAMES.join(', ')}.`);
}

/** Index that an earlier run reached. @throws KmcError E_USAGE. */
function startOf(cursorFile: string | undefined): number {
  if (cursorFile === undefined || !existsSync(cursorFile)) return 0;
  const text = readNamedFile(cursorFile, 'cursor file').toString('utf8').trim();
  if (/^(?:0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  throw new KmcError('E_USAGE', 'The cursor file does not hold the index of an event.');
}

/**
 * Writes the events of the service into a file. Delivery is at least once: a run that is cut off goes on from the last
 * page that was written down.
 * @throws KmcError E_EXISTS, E_USAGE, E_STORAGE and what the service answers.
 */
export async function runAuditExport(
  client: KmcClient,
  input: CommandInput,
  given: Pick<ExportRun, 'signal' | 'progress'>,
): Promise<Outcome> {
  const file = input.required('out');
  const cursorFile = input.text('cursor-file');
  const start = startOf(cursorFile);
  const format = formatOf(input);
  let next = start;
  const reached = (index: number): void => {
    next = index;
  };
  const handle = await promises.open(file, start > 0 ? 'a' : 'wx', 0o600).catch((cause: unknown) => {
    throw new KmcError('E_EXISTS', `The export cannot write ${file}: name a file that is not there yet.`, { cause });
  });
  const remember = (): void => {
    if (cursorFile !== undefined) replaceNamedFile(cursorFile, Buffer.from(`${next}\n`));
  };
  const run: ExportRun = { ...given, client, input, format, follow: input.flag('follow'), start, reached };
  const target = handle.createWriteStream({ flush: true });
  try {
    if (input.flag('gzip')) await pipeline(Readable.from(pagesOf(run)), createGzip(), target);
    else await pipeline(Readable.from(rememberEach(pagesOf(run), remember)), target);
  } finally {
    await handle.close().catch(() => undefined);
  }
  remember();
  return { json: { file, format, first: start, next }, text: `events [${start}, ${next}) as ${format} in ${file}` };
}

/** Writes down how far the one before has come, when the next page is asked for. */
async function* rememberEach(pages: AsyncGenerator<string>, remember: () => void): AsyncGenerator<string> {
  for await (const page of pages) {
    yield page;
    remember();
  }
}
