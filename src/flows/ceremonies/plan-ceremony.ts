import { createDigests } from '../../crypto/digests.ts';
import { ceremonyFileBody, type CeremonyFile, type CeremonyInputFile } from '../../domain/ceremony/ceremony-file.ts';
import { personInputName } from '../../domain/ceremony/people.ts';
import { ceremonyPlan, FIRST_REGISTER, planHash, type CeremonyPlan } from '../../domain/ceremony/plan.ts';
import type { ToolIdentity } from '../../domain/ceremony/plan.ts';
import { isStepKind, outputsOf, stepKindRule } from '../../domain/ceremony/step-kinds.ts';
import type { Closing } from '../../domain/ceremony/closing.ts';
import { KmcError } from '../../errors.ts';
import type { CeremonyInputs } from '../ports/ceremony-folder.ts';
import { STEP_ACTS } from './step-acts.ts';
import type { CeremonySetting, Planning } from './step-act.ts';

export interface PlanRequest {
  /** Linted. */
  readonly file: CeremonyFile;
  /** The octets of the file. */
  readonly bytes: Buffer;
  readonly inputs: CeremonyInputs;
  /** The bundle of the last ceremony, verified; absent for the first. */
  readonly previous?: PreviousCeremony;
}

/** What a ceremony takes over from the one before it. */
export interface PreviousCeremony {
  readonly digest: string;
  readonly plan: Pick<CeremonyPlan, 'instance'>;
  readonly closing: Pick<Closing, 'after'>;
}

export interface PlannedCeremony {
  readonly plan: CeremonyPlan;
  /** `sm3:<hex>`: what the custodians approve. */
  readonly hash: string;
  readonly planning: Planning;
}

/** Members of `software` in a ceremony file, and what of the tool each is compared with. */
const PINNED: Readonly<Record<'bundle' | 'node' | 'lock', keyof ToolIdentity>> = {
  bundle: 'bundleSm3',
  node: 'nodeSm3',
  lock: 'lockSm3',
};

/**
 * Makes the plan of a ceremony: the exact steps, what will be signed, every file, every event (C4). It reads and writes
 * nothing but the inputs, and making it again gives the same bytes.
 * @throws KmcError E_LINT (another tool than pinned, another bundle before, an input with another digest), E_NOT_FOUND (an
 * input), and what the steps would refuse: E_POLICY, E_CERT, E_CSR, E_POP, E_STATE, E_STALE.
 */
export function planCeremony(setting: CeremonySetting, request: PlanRequest): PlannedCeremony {
  const { file, bytes, previous } = request;
  checkTool(setting, file);
  checkPrevious(setting, file, previous);
  const entries = inputEntries(file);
  const inputs = new Map(entries.map((entry) => [entry.name, readInput(request.inputs, entry)]));
  const planning: Planning = {
    setting,
    file,
    fileSm3: createDigests(bytes).sm3,
    inputs,
    before: previous?.closing.after ?? FIRST_REGISTER,
  };
  const plan = ceremonyPlan({
    ceremony: file.id,
    type: file.type,
    environment: setting.environment,
    instance: setting.instance,
    file: ceremonyFileBody(file),
    fileSm3: planning.fileSm3,
    policyDigest: setting.policyDigest,
    tool: setting.tool,
    inputs: entries,
    steps: file.steps.map((step) => {
      const signs = isStepKind(step.do) ? STEP_ACTS[step.do].plan?.(planning, step) : undefined;
      const rule = stepKindRule(step.do);
      return {
        id: step.id,
        do: step.do,
        text: rule?.text(step) ?? step.do,
        outputs: outputsOf(step),
        audits: rule?.audits ?? [],
        ...(signs === undefined ? {} : { signs }),
      };
    }),
    before: planning.before,
  });
  return { plan, hash: planHash(plan), planning };
}

/** The inputs of the file, and the certificates that the first people bring. */
function inputEntries(file: CeremonyFile): CeremonyInputFile[] {
  const brought = file.people.map((person) => ({
    name: personInputName(person),
    sm3: person.certificate,
    secret: false,
  }));
  return [...file.inputs, ...brought];
}

function readInput(inputs: CeremonyInputs, entry: CeremonyInputFile): Buffer {
  const bytes = inputs.read(entry.name);
  if (createDigests(bytes).sm3 === entry.sm3) return bytes;
  throw new KmcError('E_LINT', `The input ${entry.name} is not the one that the file states: its digest differs.`);
}

function checkTool({ tool }: CeremonySetting, { software = {} }: CeremonyFile): void {
  const differing = (['bundle', 'node', 'lock'] as const).filter(
    (part) => software[part] !== undefined && software[part] !== tool[PINNED[part]],
  );
  if (differing.length === 0) return;
  throw new KmcError('E_LINT', `This tool is not the one that the file states: ${differing.join(', ')} differ.`);
}

function checkPrevious(
  { instance }: CeremonySetting,
  file: CeremonyFile,
  previous: PreviousCeremony | undefined,
): void {
  if ((previous?.digest ?? 'none') !== file.previous) {
    throw new KmcError('E_LINT', 'The bundle of the last ceremony is not the one that the file states as previous.');
  }
  if (previous !== undefined && previous.plan.instance !== instance) {
    throw new KmcError('E_LINT', 'The bundle of the last ceremony belongs to another instance.');
  }
}
