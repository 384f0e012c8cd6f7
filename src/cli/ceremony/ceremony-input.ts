/** What the commands of ceremonies share: the file, the place, the bundle before, the people. */
import { basename, dirname, join } from 'node:path';
import { loadCeremonyFile } from '../../config/ceremony-file.ts';
import { loadPolicies } from '../../config/policies.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { BUNDLE } from '../../domain/ceremony/bundle-files.ts';
import { needsService } from '../../domain/ceremony/ceremony-types.ts';
import { policyDigest, type PolicySet } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import { planCeremony, type PlannedCeremony } from '../../flows/ceremonies/plan-ceremony.ts';
import type { Participant } from '../../flows/ceremonies/participant.ts';
import type { CeremonySetting } from '../../flows/ceremonies/step-act.ts';
import { requireVerifiedCeremony } from '../../flows/ceremonies/verify-ceremony.ts';
import type { Instance } from '../../flows/instance.ts';
import type { CeremonyInputs } from '../../flows/ports/ceremony-folder.ts';
import type { CommandContext, CommandInput, OptionSpec } from '../command.ts';
import { readNamedFile } from '../named-file.ts';
import { loadParticipant, namedFolder } from '../participants.ts';

export const INPUTS_OPTION: OptionSpec = {
  type: 'string',
  value: 'DIR',
  help: 'folder of the inputs that the file names (default: inputs beside the file)',
};
export const PREVIOUS_OPTION: OptionSpec = {
  type: 'string',
  value: 'DIR',
  help: 'closed bundle of the last ceremony; needed for all but the first',
};
export const PARTICIPANT_OPTION: OptionSpec = {
  type: 'string',
  multiple: true,
  required: true,
  value: 'NAME=DIR',
  help: 'a person: folder with key.pem, crt.pem and, where at hand, passphrase.txt and shares',
};

/** The policies of the environment; a ceremony needs no database for them. */
export function ceremonyPolicies({ environment }: CommandContext): PolicySet {
  return loadPolicies(environment.policies, environment.environment).set;
}

/** Where this ceremony is planned and held. */
function ceremonySetting(context: CommandContext): CeremonySetting {
  const { environment } = context;
  const policies = ceremonyPolicies(context);
  return {
    instance: environment.instance,
    environment: environment.environment,
    policies,
    policyDigest: policyDigest(policies),
    tool: context.ceremonySite().tool(),
  };
}

export interface ReadCeremony {
  readonly file: CeremonyFile;
  readonly bytes: Buffer;
}

/** Reads and lints a ceremony file. @throws KmcError E_NOT_FOUND, E_LINT. */
export function readCeremony(context: CommandContext, path: string): ReadCeremony {
  const bytes = readNamedFile(path, 'ceremony file');
  const facts = { policies: ceremonyPolicies(context), environment: context.environment.environment };
  return { bytes, file: loadCeremonyFile(bytes, facts) };
}

/** The file in the folder of a ceremony that was approved. @throws KmcError E_NOT_FOUND, E_LINT. */
export function readApproved(context: CommandContext, folder: string): ReadCeremony {
  return readCeremony(context, join(folder, BUNDLE.file));
}

/** The folder of inputs that is taken unless `--inputs` names one: beside the file. */
export function inputsBeside(file: string): string {
  return join(dirname(file), 'inputs');
}

/** Inputs in that folder; what is missing is said with the folder and the option. */
export function inputsIn(context: CommandContext, folder: string): CeremonyInputs {
  const inputs = context.ceremonySite().inputs(folder);
  return {
    read(name) {
      try {
        return inputs.read(name);
      } catch (cause) {
        if (!(cause instanceof KmcError) || cause.code !== 'E_NOT_FOUND') throw cause;
        const advice = 'name the folder that holds the inputs with --inputs';
        throw new KmcError('E_NOT_FOUND', `The input ${name} is not in the folder ${folder}: ${advice}.`, { cause });
      }
    },
  };
}

/**
 * Makes the plan from file, inputs, policy and tool as they are now.
 * @param defaultInputs folder of the inputs without `--inputs`.
 * @throws KmcError as planCeremony.
 */
export function makePlan(
  context: CommandContext,
  input: CommandInput,
  { file, bytes }: ReadCeremony,
  defaultInputs: string,
): PlannedCeremony {
  const site = context.ceremonySite();
  const previousFolder = input.text('previous');
  const previous =
    previousFolder === undefined
      ? undefined
      : requireVerifiedCeremony(site.folder(previousFolder), { allowDeviations: true });
  const inputs = inputsIn(context, input.text('inputs') ?? defaultInputs);
  return planCeremony(ceremonySetting(context), {
    file,
    bytes,
    inputs,
    ...(previous === undefined ? {} : { previous }),
  });
}

/** The service that a ceremony writes into; nothing for a type that has none. */
export async function serviceOf(context: CommandContext, file: CeremonyFile): Promise<Instance | undefined> {
  return needsService(file) ? await context.openInstance('may be new') : undefined;
}

/** The people of the command line, in the engine of the ceremony. @throws KmcError E_USAGE, E_NOT_FOUND, E_PASSPHRASE. */
export async function participantsOf(
  context: CommandContext,
  input: CommandInput,
  engine: CryptoEngine,
): Promise<Participant[]> {
  const participants: Participant[] = [];
  for (const option of input.list('participant')) {
    participants.push(await loadParticipant(context, engine, namedFolder(option)));
  }
  return participants;
}

/** `--dir`, or a folder with the name of the ceremony below `ceremonies` in the home of the instance. */
export function ceremonyFolder(context: CommandContext, input: CommandInput, file: CeremonyFile): string {
  return input.text('dir') ?? join(context.environment.home, 'ceremonies', basename(file.id));
}

/** Splits `NAME=VALUE`. @throws KmcError E_USAGE. */
export function namedValue(option: string): readonly [string, string] {
  const at = option.indexOf('=');
  if (at < 1) throw new KmcError('E_USAGE', `"${option}" must be NAME=VALUE.`);
  return [option.slice(0, at), option.slice(at + 1)];
}
