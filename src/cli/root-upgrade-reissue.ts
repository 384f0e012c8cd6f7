/** `kmc root-upgrade reissue`: pairs of another generation for a list of devices, with progress by region. */
import { parseStrictJson } from '../crypto/jcs.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { readNamedFile } from './named-file.ts';

const POLL_MS = 2_000;
/** Orders in one list at most: more are handed in as further lists. */
const LIST = 1_000;

type Progress = Readonly<Record<string, unknown>>;

function textOf(progress: Progress, name: string): string {
  return typeof progress[name] === 'string' ? progress[name] : '0';
}

function regionsOf(progress: Progress): Progress[] {
  return Array.isArray(progress['regions']) ? progress['regions'].filter(isObject) : [];
}

function progressText(jobs: readonly Progress[]): string {
  const counts = ['total', 'issued', 'refused', 'waiting'];
  const rows = jobs.flatMap((job) =>
    regionsOf(job).map((region) => [textOf(job, 'id'), ...['region', ...counts].map((name) => textOf(region, name))]),
  );
  return table(['LIST', 'REGION', ...counts.map((name) => name.toUpperCase())], rows);
}

function ordersIn(path: string): unknown[] {
  const lines = readNamedFile(path, 'list of orders').toString('utf8').split('\n');
  const orders = lines.filter((line) => line.trim() !== '').map((line) => parseStrictJson(line));
  if (orders.length > 0) return orders;
  throw new KmcError('E_USAGE', 'The list is empty. Each line is what `kmc device order` printed.');
}

async function handIn(input: CommandInput, context: CommandContext, path: string): Promise<string[]> {
  const client = await context.client();
  const orders = ordersIn(input.positionals[1] ?? '');
  const perMinute = input.text('per-minute');
  const ids: string[] = [];
  for (let at = 0; at < orders.length; at += LIST) {
    const body = { orders: orders.slice(at, at + LIST), ...(perMinute === undefined ? {} : { perMinute }) };
    const answer = await client.json('POST', path, body);
    ids.push(isObject(answer) ? String(answer['id']) : '');
  }
  return ids;
}

async function reissue(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const path = `/api/v1/root-upgrades/${encodeURIComponent(input.positionals[0] ?? '')}/reissues`;
  const known = input.list('list');
  const ids = known.length > 0 ? known : await handIn(input, context, path);
  const client = await context.client();
  for (;;) {
    const jobs: Progress[] = [];
    for (const id of ids) {
      const job = await client.json('GET', `${path}/${encodeURIComponent(id)}`);
      if (isObject(job)) jobs.push(job);
    }
    const sum = (name: string): number => jobs.reduce((all, job) => all + Number(textOf(job, name)), 0);
    const waits = sum('waiting');
    if (input.flag('watch')) context.progress('reissue', sum('total') - waits, sum('total'));
    if (waits === 0 || !input.flag('watch')) {
      const partly = sum('refused') > 0 ? { exitCode: EXIT.partlyDone } : {};
      return { json: { lists: jobs }, text: progressText(jobs), ...partly };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The commands of mass re-enrolment. */
export const reissueCommands: readonly Command[] = [
  {
    noun: 'root-upgrade',
    verb: 'reissue',
    summary: 'Re-issues pairs of the generation in service for a list of devices. Exit 8 when some were refused.',
    example: 'kmc root-upgrade reissue ru-g2 orders.jsonl --watch --key me.key.pem --cert me.crt.pem',
    details: ['Each line of the list is what `kmc device order` printed on a device. The service works on by itself.'],
    positionals: ['UPGRADE', 'FILE?'],
    options: {
      'per-minute': { type: 'string', value: 'N', help: 'devices in a minute at most (default 1200)' },
      list: { type: 'string', value: 'ID', multiple: true, help: 'shows lists that were handed in before' },
      watch: { type: 'boolean', help: 'waits until nothing waits any more, and shows how far it is' },
    },
    run: reissue,
  },
];
