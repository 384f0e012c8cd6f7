/** `kmc root-upgrade plan` and `status`. */
import { readPlanFile } from '../../config/root-upgrade-plan.ts';
import { planDigest } from '../../domain/root-upgrade/plan.ts';
import { GATE_NAMES, gateText, weakerGates } from '../../domain/root-upgrade/gates.ts';
import { digestWords } from '../../domain/digest-words.ts';
import { listOutcome } from '../answer-table.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from '../command.ts';
import { readNamedFile } from '../named-file.ts';
import { upgradePath, upgradeText } from './upgrade-answer.ts';

async function plan(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const { body, plan: read } = readPlanFile(readNamedFile(input.positionals[0] ?? '', 'plan'));
  const digest = planDigest(body);
  const weaker = weakerGates(read.gates, read.kind);
  const gates = GATE_NAMES.map((name) => [name, gateText(name, read.gates[name])]);
  const text = [
    `${read.id}: ${read.kind}, ${read.from.generation} -> ${read.to.generation}`,
    `${digest}\n${digestWords(digest).join(' ')}`,
    table(['GATE', 'NUMBER'], gates),
    ...(weaker.length === 0 ? [] : [`weaker than part A asks:\n${weaker.map((line) => `  ${line}`).join('\n')}`]),
  ].join('\n\n');
  if (input.flag('check')) return { json: { plan: body, planDigest: digest, weakerGates: weaker }, text };
  const answer = await (await context.client()).json('POST', '/api/v1/root-upgrades', { plan: body });
  return { json: answer, text: `${text}\n\nhanded in as a draft: kmc root-upgrade advance ${read.id}` };
}

async function status(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const client = await context.client();
  const id = input.positionals[0];
  if (id === undefined) {
    const answer = await client.json('GET', '/api/v1/root-upgrades');
    return listOutcome(answer, ['id', 'kind', 'bundle', 'state', 'changedAt']);
  }
  const answer = await client.json('GET', upgradePath(id));
  return { json: answer, text: upgradeText(answer) };
}

/** The commands that plan an upgrade and look at it. */
export const PLAN_COMMANDS: readonly Command[] = [
  {
    noun: 'root-upgrade',
    verb: 'plan',
    summary:
      'Hands in the plan of an upgrade (YAML) as a draft, or another one in its place (roles ca-owner, security-administrator).',
    details: [
      'With --check it only reads the plan, and shows its digest and each gate that is weaker than the default.',
    ],
    example: 'kmc root-upgrade plan rsa-to-sm2.yaml --key owner.key.pem --cert owner.crt.pem',
    positionals: ['FILE'],
    options: { check: { type: 'boolean', help: 'only read it; no service is asked' } },
    run: plan,
  },
  {
    noun: 'root-upgrade',
    verb: 'status',
    summary:
      'Where an upgrade stands, and what blocks each way out of its state, devices by name; without ID all of them.',
    example: 'kmc root-upgrade status rsa-to-sm2 --key me.key.pem --cert me.crt.pem',
    positionals: ['ID?'],
    run: status,
  },
];
