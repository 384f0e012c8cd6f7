/** `kmc pool`: keys made ahead. */
import { isPoolName, POOL_NAMES, type PoolName } from '../domain/key-pool.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { answerItems, answerNumber } from './answer-table.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';

const COLUMNS = ['name', 'spare', 'generated', 'low', 'high', 'onDemand', 'needsBackup', 'belowLow'] as const;

function poolName(input: CommandInput): PoolName {
  const name = input.positionals[0] ?? '';
  if (isPoolName(name)) return name;
  throw new KmcError('E_USAGE', `The pools are: ${POOL_NAMES.join(', ')}.`);
}

function member(answer: unknown, name: string): unknown {
  return isObject(answer) ? answer[name] : undefined;
}

async function pools(context: CommandContext): Promise<readonly unknown[]> {
  const client = await context.client();
  return answerItems(await client.json('GET', '/api/v1/pools'));
}

async function status(_input: CommandInput, context: CommandContext): Promise<Outcome> {
  const items = await pools(context);
  const rows = items.map((pool) => COLUMNS.map((name) => String(member(pool, name))));
  const low = items.filter((pool) => member(pool, 'belowLow') === true);
  const alarm = low.map((pool) => `\nALARM: ${String(member(pool, 'name'))} is below its low mark.`).join('');
  const headers = COLUMNS.map((name) => name.toUpperCase());
  return { json: { items }, text: `${table(headers, rows)}${alarm}` };
}

/** Batch after batch, until the pool is full or has as many more as were asked for. */
async function refill(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const name = poolName(input);
  const asked = input.text('count');
  if (asked !== undefined && !/^[1-9][0-9]{0,6}$/.test(asked)) throw new KmcError('E_USAGE', '--count is a number.');
  const client = await context.client();
  const before = (await pools(context)).find((pool) => member(pool, 'name') === name);
  const room = answerNumber(before, 'high') - answerNumber(before, 'spare') - answerNumber(before, 'generated');
  const total = Math.max(0, asked === undefined ? room : Math.min(room, Number(asked)));
  let made = 0;
  while (made < total) {
    const count = answerNumber(await client.json('POST', `/api/v1/pools/${name}/batches`, {}), 'count');
    if (count === 0) break;
    made += count;
    context.progress('refill', Math.min(made, total), total);
  }
  return { json: { pool: name, made }, text: `${made} keys made for ${name}` };
}

async function release(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const name = poolName(input);
  const client = await context.client();
  const body = { backup: input.required('backup'), takenAt: input.required('taken-at') };
  const answer = await client.json('POST', `/api/v1/pools/${name}/releases`, body);
  const text = `${answerNumber(answer, 'keys')} keys of ${answerNumber(answer, 'batches')} batches can be issued now`;
  return { json: answer, text };
}

/** The commands of `kmc pool`. */
export const commands: readonly Command[] = [
  {
    noun: 'pool',
    verb: 'status',
    summary: 'Shows the key pools with their marks, and the alarm of one that is below its low mark.',
    example: 'kmc pool status --key ca.key.pem --cert ca.crt.pem',
    run: status,
  },
  {
    noun: 'pool',
    verb: 'refill',
    summary:
      'Fills a pool now, up to its high mark (role ca-operator). The service does so by itself below the low mark.',
    example: 'kmc pool refill sm2-encryption --count 500 --key ca.key.pem --cert ca.crt.pem',
    positionals: ['POOL'],
    options: {
      count: { type: 'string', value: 'N', help: 'at least so many more keys (default: up to the high mark)' },
    },
    run: refill,
  },
  {
    noun: 'pool',
    verb: 'release',
    summary: 'States that a verified backup holds what was made before it (role system-administrator).',
    details: ['Where policy says needs-backup, keys are issued only once such a backup holds them.'],
    example: 'kmc pool release sm2-encryption --backup backup-12 --taken-at 2026-12-01T02:00:00Z',
    positionals: ['POOL'],
    options: {
      backup: { type: 'string', value: 'ID', help: 'id of the backup', required: true },
      'taken-at': { type: 'string', value: 'TIME', help: 'the moment that it shows', required: true },
    },
    run: release,
  },
];
