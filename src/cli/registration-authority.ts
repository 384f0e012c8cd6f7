/** `kmc ra`: registration authorities on their way into service (授牌) and after it; every step is an act that others approve. */
import type { ActionName } from '../domain/action.ts';
import { isObject } from '../domain/signed-body.ts';
import { answerItems, answerText } from './answer-table.ts';
import {
  table,
  type Command,
  type CommandContext,
  type CommandInput,
  type OptionSpec,
  type Outcome,
} from './command.ts';
import { propose, REASON } from './propose.ts';

const PATH = '/api/v1/supervision/registration-authorities';
const REGION: OptionSpec = { type: 'string', value: 'CODE', required: true, help: 'code of its region, e.g. 340000' };
const EVIDENCE: OptionSpec = { type: 'string', value: 'sm3:HEX', required: true, help: 'digest of the report' };
const TERMS: Readonly<Record<string, OptionSpec>> = {
  profile: { type: 'string', value: 'NAME', multiple: true, help: 'a device profile that it may use; several times' },
  devices: { type: 'string', value: 'N', required: true, help: 'quota: devices in all' },
  'devices-per-day': { type: 'string', value: 'N', required: true, help: 'quota: devices registered in one day' },
};

function row(item: unknown): string[] {
  const quota = isObject(item) && isObject(item['quota']) ? item['quota'] : {};
  const registered = isObject(item) && isObject(item['registered']) ? item['registered'] : {};
  const operators = isObject(item) && Array.isArray(item['operators']) ? item['operators'].length : 0;
  return [
    answerText(item, 'id'),
    answerText(item, 'region'),
    answerText(item, 'state'),
    `${String(registered['devices'])} of ${String(quota['devices'])}`,
    String(operators),
    answerText(item, 'changedAt'),
  ];
}

function shown(items: readonly unknown[]): string {
  return table(['ID', 'REGION', 'STATE', 'DEVICES', 'OPERATORS', 'CHANGED'], items.map(row));
}

async function list(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const query = new URLSearchParams({ limit: '1000' });
  for (const name of ['region', 'state']) {
    const value = input.text(name);
    if (value !== undefined) query.set(name, value);
  }
  const answer = await (await context.client()).json('GET', `${PATH}?${query.toString()}`);
  return { json: answer, text: shown(answerItems(answer)) };
}

type Parameters = (input: CommandInput) => Readonly<Record<string, unknown>>;

const termsOf: Parameters = (input) => ({
  profiles: input.list('profile'),
  devices: input.required('devices'),
  devicesPerDay: input.required('devices-per-day'),
});

interface Act {
  readonly verb: string;
  readonly summary: string;
  readonly options?: Readonly<Record<string, OptionSpec>>;
  readonly params?: Parameters;
  readonly example?: string;
}

function act({ verb, summary, options = {}, params = () => ({}), example = '' }: Act): Command {
  const op = `registration-authority.${verb}` as ActionName;
  return {
    noun: 'ra',
    verb,
    summary,
    details: ['Opens a request: others approve it (kmc approval), then kmc request execute does it.'],
    example: `kmc ra ${verb} ra-340000 --region 340000${example} --reason "..." --key me.key.pem --cert me.crt.pem`,
    positionals: ['AUTHORITY'],
    options: { region: REGION, reason: REASON, ...options },
    async run(input, context) {
      const stated = { region: input.required('region'), ...params(input) };
      const targetId = input.positionals[0] ?? '';
      return await propose(context, { op, targetId, params: stated, reason: input.required('reason') });
    },
  };
}

const NAMES: Readonly<Record<string, OptionSpec>> = {
  'name-en': { type: 'string', value: 'TEXT', required: true, help: 'its name in English' },
  'name-zh': { type: 'string', value: 'TEXT', required: true, help: 'its name in Chinese' },
};
const TERMS_EXAMPLE = ' --profile gateway --devices 12000 --devices-per-day 500';
const attested: Pick<Act, 'options' | 'params' | 'example'> = {
  options: { evidence: EVIDENCE },
  params: (input) => ({ evidence: input.required('evidence') }),
  example: ' --evidence sm3:...',
};

export const commands: readonly Command[] = [
  {
    noun: 'ra',
    verb: 'list',
    summary: 'Lists registration authorities: state, devices against quota, operators. An operator sees the own one.',
    example: 'kmc ra list --state in-service --key me.key.pem --cert me.crt.pem',
    options: {
      region: { type: 'string', value: 'CODE', help: 'only of that region' },
      state: {
        type: 'string',
        value: 'STATE',
        help: 'applied, documents-attested, ..., in-service, suspended, closed',
      },
    },
    run: list,
  },
  {
    noun: 'ra',
    verb: 'show',
    summary: 'Shows one registration authority (--json: with profiles, quotas and its operators).',
    example: 'kmc ra show ra-340000 --key me.key.pem --cert me.crt.pem',
    positionals: ['AUTHORITY'],
    async run(input, context) {
      const path = `${PATH}/${encodeURIComponent(input.positionals[0] ?? '')}`;
      const answer = await (await context.client()).json('GET', path);
      return { json: answer, text: shown([answer]) };
    },
  },
  act({
    verb: 'apply',
    summary: 'Puts a registration authority forward: the first step into service.',
    options: { ...NAMES, ...TERMS },
    params: (input) => ({
      nameEn: input.required('name-en'),
      nameZh: input.required('name-zh'),
      ...termsOf(input),
    }),
    example: ` --name-en "Anhui RA" --name-zh "安徽省注册机构"${TERMS_EXAMPLE}`,
  }),
  act({ verb: 'attest-documents', summary: 'States that its documents were examined.', ...attested }),
  act({ verb: 'attest-premises', summary: 'States that its premises were inspected.', ...attested }),
  act({
    verb: 'appoint-operators',
    summary: 'States its operators: two people at least, who hold ra-operator of its region.',
    options: { operator: { type: 'string', value: 'ID', multiple: true, help: 'a person; several times' } },
    params: (input) => ({ operators: input.list('operator') }),
    example: ' --operator p-1 --operator p-2',
  }),
  act({ verb: 'open', summary: 'Brings it into service (授牌): three people decide.' }),
  act({ verb: 'suspend', summary: 'Suspends it: it registers nothing, and unused tokens are worthless.' }),
  act({ verb: 'resume', summary: 'Puts a suspended one into service again.' }),
  act({ verb: 'close', summary: 'Closes it for good: three people decide.' }),
  act({
    verb: 'amend',
    summary: 'Changes its profiles and quotas; state all of them.',
    options: TERMS,
    params: termsOf,
    example: TERMS_EXAMPLE,
  }),
];
