/** Keys over their life on the command line: looked at, archived, and proposed for what two people decide. */
import type { ActionName } from '../../domain/action.ts';
import { answerText, listOutcome } from '../answer-table.ts';
import {
  table,
  type Command,
  type CommandContext,
  type CommandInput,
  type OptionSpec,
  type Outcome,
} from '../command.ts';
import { propose } from '../propose.ts';

const KEYS = '/api/v1/keys';
/** Of managed keys. */
const MANAGED_COLUMNS = ['id', 'state', 'kind', 'currentVersion', 'name', 'changedAt'] as const;
const COLUMNS = ['id', 'state', 'store', 'algorithm', 'device', 'serialNumber', 'changedAt'] as const;
const FACTS = [
  'id',
  'state',
  'reason',
  'store',
  'version',
  'algorithm',
  'kid',
  'kekVersion',
  'name',
  'kind',
  'origin',
  'useLimit',
  'currentVersion',
  'batch',
  'authority',
  'serialNumber',
  'subject',
  'device',
  'createdAt',
  'activatedAt',
  'changedAt',
  'compromisedAt',
  'destroyAfter',
] as const;
const FILTERS = ['state', 'store', 'device', 'authority'] as const;
const REASON: OptionSpec = { type: 'string', value: 'TEXT', required: true, help: 'why; stands in the audit log' };

function pathOf(input: CommandInput, below = ''): string {
  return `${KEYS}/${encodeURIComponent(input.positionals[0] ?? '')}${below}`;
}

function shown(answer: unknown): Outcome {
  const rows = FACTS.map((name) => [name, answerText(answer, name)]).filter(([, value]) => value !== '');
  return { json: answer, text: table(['FIELD', 'VALUE'], rows) };
}

async function list(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const query = new URLSearchParams({ limit: input.text('limit') ?? '100' });
  const isManaged = input.flag('managed');
  if (isManaged) query.set('kind', 'managed');
  for (const name of FILTERS) {
    const value = input.text(name);
    if (value !== undefined) query.set(name, value);
  }
  return listOutcome(
    await (await context.client()).json('GET', `${KEYS}?${query.toString()}`),
    isManaged ? MANAGED_COLUMNS : COLUMNS,
  );
}

/** What one person may do. */
function direct(verb: string, below: string, summary: string): Command {
  return {
    noun: 'key',
    verb,
    summary,
    example: `kmc key ${verb} key-01j... --reason "replaced" --key me.key.pem --cert me.crt.pem`,
    positionals: ['KEY'],
    options: { reason: REASON },
    async run(input, context) {
      const client = await context.client();
      return shown(await client.json('POST', pathOf(input, below), { reason: input.required('reason') }));
    },
  };
}

/** What two people decide: opens the request. */
function proposed(verb: string, op: ActionName, summary: string, options: Command['options'] = {}): Command {
  return {
    noun: 'key',
    verb,
    summary,
    details: ['Opens a request: others approve it (kmc approval), then kmc request execute does it.'],
    example: `kmc key ${verb} key-01j... --reason "..." --key me.key.pem --cert me.crt.pem`,
    positionals: ['KEY'],
    options: { reason: REASON, ...options },
    async run(input, context) {
      const params = Object.fromEntries(Object.keys(options).map((name) => [name, input.required(name)]));
      const targetId = input.positionals[0] ?? '';
      return await propose(context, { op, targetId, params, reason: input.required('reason') });
    },
  };
}

export const lifeCommands: readonly Command[] = [
  {
    noun: 'key',
    verb: 'list',
    summary: 'Lists escrowed keys by store (standby 备用库, in-use 在用库, history 历史库), state, device or CA.',
    example: 'kmc key list --store history --key me.key.pem --cert me.crt.pem',
    options: {
      managed: { type: 'boolean', help: 'managed keys instead of escrowed ones; without other filters' },
      store: { type: 'string', value: 'STORE', help: 'standby, in-use, history or tombstone' },
      state: { type: 'string', value: 'STATE', help: 'spare, active, suspended, ...' },
      device: { type: 'string', value: 'ID', help: 'only of that device' },
      authority: { type: 'string', value: 'ID', help: 'only of that CA' },
      limit: { type: 'string', value: 'N', help: 'at most so many, up to 1000 (default 100)' },
    },
    run: list,
  },
  {
    noun: 'key',
    verb: 'show',
    summary: 'Shows a key, escrowed or managed, or a version of one; versions, grants and tombstones with --json.',
    example: 'kmc key show key-01j... --key me.key.pem --cert me.crt.pem',
    positionals: ['KEY'],
    run: async (input, context) => shown(await (await context.client()).json('GET', pathOf(input))),
  },
  direct('archive', '/archive', 'Moves a key that was replaced to the history store (role ca-operator).'),
  direct('cancel-destroy', '/destruction-cancel', 'Ends the destruction window of a key before its time.'),
  proposed('suspend', 'key.suspend', 'Asks for a key to be suspended.'),
  proposed('resume', 'key.reactivate', 'Asks for a suspended key to be used again.'),
  proposed('mark-compromised', 'key.mark-compromised', 'Asks for a key to be marked compromised, for good.', {
    incident: { type: 'string', value: 'ID', required: true, help: 'id of the incident' },
  }),
  proposed('rotate-kek', 'kek.rotate', 'Asks for the next version of a key-encryption key, e.g. escrow-store.'),
  proposed('destroy-kek', 'kek.destroy', 'Asks for an earlier version, e.g. escrow-store-1, to be destroyed for good.'),
  proposed(
    'destroy',
    'key.destroy',
    'Asks for the destruction window of a key to be opened (7 to 30 days, by policy).',
  ),
];
