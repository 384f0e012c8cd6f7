/** What `run` and `resume` share: the ceremony as it was approved, its people, and the place where it is held. */
import { join } from 'node:path';
import { readSignedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { requireApprovedPlan } from '../../flows/ceremonies/approve-ceremony.ts';
import type { CeremonyRunPorts } from '../../flows/ceremonies/ceremony-run.ts';
import type { CeremonyOutcome, ConductInput } from '../../flows/ceremonies/conduct-ceremony.ts';
import type { Instance } from '../../flows/instance.ts';
import type { Command, CommandContext, CommandInput, Outcome } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readPassphrase } from '../participants.ts';
import { INPUTS_OPTION, makePlan, namedValue, PARTICIPANT_OPTION } from './ceremony-input.ts';
import { participantsOf, PREVIOUS_OPTION, readApproved, serviceOf } from './ceremony-input.ts';

/** Options of a command that goes on with a ceremony that was approved. */
export const APPROVED_OPTIONS: NonNullable<Command['options']> = {
  inputs: { ...INPUTS_OPTION, help: 'folder of the inputs that the file names (default: inputs in DIR)' },
  previous: PREVIOUS_OPTION,
  participant: PARTICIPANT_OPTION,
};

/** Options of a command that conducts a ceremony. */
export const CONDUCT_OPTIONS: NonNullable<Command['options']> = {
  ...APPROVED_OPTIONS,
  'witness-time': { type: 'string', value: 'TIME', help: 'what the witness reads from the clock on the wall' },
  'input-passphrase': {
    type: 'string',
    multiple: true,
    value: 'NAME=FILE',
    help: 'file with the passphrase of an input that holds a private key',
  },
};

/** The place where the ceremony in DIR is held; with the service where its type writes into it. */
export function ceremonyPorts(context: CommandContext, dir: string, service: Instance | undefined): CeremonyRunPorts {
  const site = context.ceremonySite();
  return {
    engine: service?.engine ?? context.engine,
    clock: { now: () => new Date() },
    folder: site.folder(dir),
    openKeystoreFiles: () => site.openKeystoreFiles(),
    network: () => site.network(),
    ...(service === undefined ? {} : { service }),
  };
}

/** Conducts the ceremony in DIR with the flow of the command. */
export async function conduct(
  input: CommandInput,
  context: CommandContext,
  flow: (ports: CeremonyRunPorts, input: ConductInput) => Promise<CeremonyOutcome>,
): Promise<Outcome> {
  const [dir = ''] = input.positionals;
  const read = readApproved(context, dir);
  requireApprovedPlan(context.ceremonySite().folder(dir), read.file);
  const planned = makePlan(context, input, read, join(dir, 'inputs'));
  const ports = ceremonyPorts(context, dir, await serviceOf(context, read.file));
  const participants = await participantsOf(context, input, ports.engine);
  const typed = input.text('witness-time');
  const outcome = await flow(ports, {
    planned,
    participants,
    secrets: secretsOf(input),
    ...(typed === undefined ? {} : { witnessTime: timeOf(typed) }),
    progress: (done, total, text) => context.progress(text, done, total),
  });
  const { steps, head, awaited } = outcome;
  const next =
    awaited.length === 0
      ? [`now: kmc ceremony close ${dir}`]
      : ['these holders have not given back their shares:', ...awaited.map((one) => `  ${one}`)];
  return {
    exitCode: awaited.length === 0 ? EXIT.ok : EXIT.partlyDone,
    json: { ceremony: read.file.id, ...outcome },
    text: [
      `${steps} steps done, head of the transcript ${head}`,
      ...next,
      ...(awaited.length === 0 ? [] : [`then: kmc ceremony resume ${dir} with them`]),
    ].join('\n'),
  };
}

function secretsOf(input: CommandInput): Map<string, Buffer> {
  return new Map(
    input.list('input-passphrase').map((option) => {
      const [name, file] = namedValue(option);
      return [name, readPassphrase(file)];
    }),
  );
}

function timeOf(text: string): Date {
  const time = readSignedTime(text);
  if (time === undefined) throw new KmcError('E_USAGE', '--witness-time must be a time YYYY-MM-DDTHH:MM:SSZ.');
  return time;
}
