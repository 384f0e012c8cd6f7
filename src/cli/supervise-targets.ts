/** `kmc supervise targets|alarms`: how far the estate is, and what is not in order. */
import { isObject } from '../domain/signed-body.ts';
import { listOutcome } from './answer-table.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';

const PATH = '/api/v1/supervision';
export const ALARM_COLUMNS = ['kind', 'subject', 'region', 'says', 'raisedAt', 'clearedAt'] as const;
const NUMBERS = ['target', 'valid', 'missing', 'perDay', 'reachedOn'] as const;

function progressRow(name: string, progress: unknown): string[] {
  const member = (key: string): string => {
    const value = isObject(progress) ? progress[key] : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '-';
  };
  return [name, ...NUMBERS.map(member)];
}

async function targets(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const region = input.text('region');
  const query = region === undefined ? '' : `?region=${encodeURIComponent(region)}`;
  const json = await (await context.client()).json('GET', `${PATH}/targets${query}`);
  const answer = isObject(json) ? json : {};
  const authorities = Array.isArray(answer['authorities']) ? answer['authorities'].filter(isObject) : [];
  const rows = [
    ...(answer['total'] === undefined ? [] : [progressRow('in all', answer['total'])]),
    ...authorities.map((one) => progressRow(String(one['id']), one)),
  ];
  return { json, text: table(['OF', 'TARGET', 'VALID', 'MISSING', 'A DAY', 'REACHED ON'], rows) };
}

async function alarms(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const query = new URLSearchParams({ limit: '1000', state: input.flag('all') ? 'all' : 'open' });
  for (const name of ['kind', 'region']) {
    const value = input.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const answer = await (await context.client()).json('GET', `${PATH}/alarms?${query.toString()}`);
  return listOutcome(answer, ALARM_COLUMNS);
}

export const targetCommands: readonly Command[] = [
  {
    noun: 'supervise',
    verb: 'targets',
    summary: 'Targets of policy with progress, and when they are reached at the pace of the last 90 days.',
    example: 'kmc supervise targets --key me.key.pem --cert me.crt.pem',
    options: { region: { type: 'string', value: 'CODE', help: 'only of that region' } },
    run: targets,
  },
  {
    noun: 'supervise',
    verb: 'alarms',
    summary: 'Open alarms: overdue renewals, stale CRLs, missing operators, unusual issuance, waiting approvals, …',
    example: 'kmc supervise alarms --kind operators-missing --key me.key.pem --cert me.crt.pem',
    options: {
      kind: { type: 'string', value: 'KIND', help: 'only of that kind' },
      region: { type: 'string', value: 'CODE', help: 'only of that region' },
      all: { type: 'boolean', help: 'those that are over too' },
    },
    run: alarms,
  },
];
