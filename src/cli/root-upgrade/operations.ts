/** `kmc root-upgrade advance`, `rollback`, `wave` and `suspend`. */
import { isTransitionName, TRANSITION_NAMES, type TransitionName } from '../../domain/root-upgrade/transitions.ts';
import { forwardFrom } from '../../domain/root-upgrade/ways.ts';
import { UPGRADE_KINDS, UPGRADE_STATE_NAMES } from '../../domain/root-upgrade/states.ts';
import { KmcError } from '../../errors.ts';
import { answerText } from '../answer-table.ts';
import type { Command, CommandContext, CommandInput, OptionSpec, Outcome } from '../command.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { readNamedFile } from '../named-file.ts';
import { blockersText, upgradePath } from './upgrade-answer.ts';

/** Ids of devices, one a line. */
function ringIn(path: string | undefined): string[] | undefined {
  if (path === undefined) return undefined;
  return readNamedFile(path, 'ring')
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** The transition that is meant: the one that is named, or the way forward. @throws KmcError E_USAGE, E_STATE. */
async function meant(input: CommandInput, context: CommandContext, id: string): Promise<TransitionName> {
  const named = input.text('transition');
  if (named !== undefined) {
    if (isTransitionName(named)) return named;
    throw new KmcError('E_USAGE', `--transition is one of: ${TRANSITION_NAMES.join(', ')}`);
  }
  const answer = await (await context.client()).json('GET', upgradePath(id));
  const state = UPGRADE_STATE_NAMES.find((name) => name === answerText(answer, 'state'));
  const kind = UPGRADE_KINDS.find((name) => name === answerText(answer, 'kind'));
  const forward = state === undefined || kind === undefined ? undefined : forwardFrom(state, kind);
  if (forward !== undefined) return forward;
  throw new KmcError('E_STATE', `No way leads on from ${answerText(answer, 'state')}.`);
}

interface Asked {
  readonly id: string;
  readonly transition: TransitionName;
  readonly why: string;
  readonly reason?: string | undefined;
  readonly ring?: readonly string[] | undefined;
}

const SAID: Readonly<Record<string, string>> = {
  asked: 'asked for: people approve the request, then run this again',
  waits: 'waits for approvals',
  made: 'done',
};

/** One call of a transition; what blocks it is shown whole, with the devices. */
async function transit(context: CommandContext, { id, transition, why, reason, ring }: Asked): Promise<Outcome> {
  const body = {
    transition,
    why,
    ...(reason === undefined ? {} : { reason }),
    ...(ring === undefined ? {} : { ring }),
  };
  try {
    const client = await context.client();
    const answer = await client.json('POST', upgradePath(id, '/transitions'), body);
    const outcome = answerText(answer, 'outcome');
    const request = answerText(answer, 'request');
    return {
      exitCode: outcome === 'made' ? EXIT.ok : EXIT.waitsForApproval,
      json: answer,
      text: [
        `${transition}: ${SAID[outcome] ?? outcome}`,
        `state ${answerText(answer, 'state')}`,
        ...(request === '' ? [] : [`request ${request}`]),
      ].join('\n'),
    };
  } catch (error) {
    if (!(error instanceof KmcError) || error.blockedBy.length === 0) throw error;
    return {
      exitCode: exitCodeOf(error),
      json: { outcome: 'blocked', transition, blockedBy: error.blockedBy },
      text: `${transition} is blocked by\n${blockersText(error.blockedBy)}`,
    };
  }
}

async function advance(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.positionals[0] ?? '';
  const transition = await meant(input, context, id);
  return await transit(context, {
    id,
    transition,
    why: input.text('why') ?? `${transition} of ${id}`,
    reason: input.text('reason'),
    ring: ringIn(input.text('ring')),
  });
}

/** The way back that fits the state: given up, issuer switched back, or the date of the old anchor cleared. */
const BACK: Readonly<Record<string, TransitionName>> = { ACTIVE: 'R2', MIGRATED: 'R2', RETIRING: 'U9' };

async function rollback(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.positionals[0] ?? '';
  const answer = await (await context.client()).json('GET', upgradePath(id));
  const transition = BACK[answerText(answer, 'state')] ?? 'R1';
  const reason = input.required('reason');
  return await transit(context, { id, transition, why: reason, ...(transition === 'U9' ? {} : { reason }) });
}

async function wave(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.positionals[0] ?? '';
  const answer = await (await context.client()).json('POST', upgradePath(id, '/waves'), {});
  return { json: answer, text: `wave ${answerText(answer, 'wave')}: ${answerText(answer, 'devices')} devices` };
}

async function suspend(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = input.positionals[0] ?? '';
  const body = { reason: input.required('reason') };
  const answer = await (await context.client()).json('POST', upgradePath(id, '/suspension'), body);
  return { json: answer, text: `${id} is suspended; two people resume it: kmc request create root.resume ${id}` };
}

const REASON: OptionSpec = { type: 'string', value: 'TEXT', required: true, help: 'the reason, in one line' };

/** The commands that move an upgrade. */
export const OPERATION_COMMANDS: readonly Command[] = [
  {
    noun: 'root-upgrade',
    verb: 'advance',
    summary:
      'Takes the next transition as far as it goes: asks for it, waits (exit 3), or makes it once it is decided.',
    details: [
      'Run it again after people approved the request, or after a crash: it is made exactly once. What blocks it is shown',
      'with the devices (exit 7). T2, T3 and T11 need no request: the ceremonies that were imported decided them.',
    ],
    example: 'kmc root-upgrade advance rsa-to-sm2 --key owner.key.pem --cert owner.crt.pem',
    positionals: ['ID'],
    options: {
      transition: { type: 'string', value: 'NAME', help: 'another than the way forward, e.g. R1, U9' },
      why: { type: 'string', value: 'TEXT', help: 'for those who approve it' },
      reason: { type: 'string', value: 'TEXT', help: 'where the transition states one: R1, R2, R3' },
      ring: { type: 'string', value: 'FILE', help: 'ids of the devices of the canary ring, one a line: T4' },
    },
    run: advance,
  },
  {
    noun: 'root-upgrade',
    verb: 'rollback',
    summary:
      'Goes back: gives the upgrade up before it issued (R1), lets the old generation issue again (R2), clears the date (U9).',
    example: 'kmc root-upgrade rollback rsa-to-sm2 --reason "peers break" --key owner.key.pem --cert owner.crt.pem',
    positionals: ['ID'],
    options: { reason: REASON },
    run: rollback,
  },
  {
    noun: 'root-upgrade',
    verb: 'wave',
    summary: 'Opens the next wave of a rollout (role system-administrator).',
    example: 'kmc root-upgrade wave rsa-to-sm2 --key sys.key.pem --cert sys.crt.pem',
    positionals: ['ID'],
    run: wave,
  },
  {
    noun: 'root-upgrade',
    verb: 'suspend',
    summary: 'Suspends an upgrade at once (any operating role); two people resume it.',
    example: 'kmc root-upgrade suspend rsa-to-sm2 --reason "incident 12" --key sys.key.pem --cert sys.crt.pem',
    positionals: ['ID'],
    options: { reason: REASON },
    run: suspend,
  },
];
