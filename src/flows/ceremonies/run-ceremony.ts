import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { wipe } from '../../crypto/bytes.ts';
import { createDigests } from '../../crypto/digests.ts';
import { BUNDLE, inputFile, outputFile } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import { ceremonyTypeRule } from '../../domain/ceremony/ceremony-types.ts';
import type { SeatName } from '../../domain/ceremony/seats.ts';
import { isStepKind, stepKindRule } from '../../domain/ceremony/step-kinds.ts';
import { TranscriptChain, type RecordFacts, type TranscriptFile } from '../../domain/ceremony/transcript.ts';
import { encodeSeatSignature } from '../../domain/ceremony/seat-signature.ts';
import { readSignedTime, signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { requireApprovals, requirePlanned } from './approve-ceremony.ts';
import { CeremonyRun, type CeremonyRunPorts } from './ceremony-run.ts';
import { seatParticipants, signInSeat, type Participant } from './participant.ts';
import type { PlannedCeremony } from './plan-ceremony.ts';
import { STEP_ACTS } from './step-acts.ts';
import type { StepResult } from './step-act.ts';

export interface RunCeremonyInput {
  /** Made by planCeremony just now. */
  readonly planned: PlannedCeremony;
  readonly participants: readonly Participant[];
  /** Passphrases of inputs that hold private keys, by input. They are wiped. */
  readonly secrets?: ReadonlyMap<string, Buffer>;
  /** The wall-clock time that the witness typed; needed in production. */
  readonly witnessTime?: Date;
  /** Told of each step that begins: done, total, what it does. */
  readonly progress?: (done: number, total: number, text: string) => void;
}

export interface CeremonyOutcome {
  /** Hash of the last record. */
  readonly head: string;
  readonly steps: number;
}

const CLOCK_TOLERANCE_SECONDS = 300;

/**
 * Runs an approved ceremony: each step is written down before and after it is done, and initialled by the witness (C9 to
 * C11). Close it afterwards.
 * @throws KmcError E_SIGNATURE (plan hash differs), E_QUORUM (too few approvals), E_TIME (window, clock), E_FORBIDDEN (a
 * seat is empty), E_EXISTS (it was run before, or an output is there), E_LINT (a private key in its folder), and what a step refuses: the transcript then ends
 * with a failed result.
 */
export async function runCeremony(ports: CeremonyRunPorts, input: RunCeremonyInput): Promise<CeremonyOutcome> {
  try {
    return await runSteps(ports, input);
  } finally {
    for (const secret of input.secrets?.values() ?? []) wipe(secret);
  }
}

async function runSteps(ports: CeremonyRunPorts, input: RunCeremonyInput): Promise<CeremonyOutcome> {
  const { planned } = input;
  const { file } = planned.planning;
  requirePlanned(ports.folder, planned.plan);
  requireApprovals(ports.folder, planned, file);
  requireTime(ports.clock.now(), input);
  requireNew(ports, planned);
  const seated = seatParticipants(file, input.participants);
  for (const seat of ['lead', 'witness', 'auditor'] as const satisfies readonly SeatName[]) {
    if (!seated.some((one) => one.seat === seat)) throw new KmcError('E_FORBIDDEN', `The ${seat} must attend.`);
  }
  if (ceremonyTypeRule(file.type)?.service === true && ports.service === undefined) {
    throw new KmcError('E_STATE', 'This ceremony writes into the service: run it where the instance lies.');
  }
  const run = new CeremonyRun(ports, {
    ...planned.planning,
    plan: planned.plan,
    seated,
    secrets: input.secrets ?? new Map(),
  });
  const journal = new Journal(run, planned.hash);
  try {
    run.quorum();
    journal.open();
    for (const [done, step] of file.steps.entries()) {
      input.progress?.(done, file.steps.length, stepKindRule(step.do)?.text(step) ?? step.do);
      await journal.around(step);
    }
    run.closeCeremonyKeystore();
    journal.end();
    return { head: journal.head, steps: file.steps.length };
  } finally {
    run.release();
  }
}

function requireTime(now: Date, { planned, witnessTime }: RunCeremonyInput): void {
  const { file } = planned.planning;
  const from = readSignedTime(file.window.from);
  const to = readSignedTime(file.window.to);
  if (from === undefined || to === undefined || now < from || now > to) {
    throw new KmcError('E_TIME', `The ceremony has its window from ${file.window.from} to ${file.window.to}.`);
  }
  if (witnessTime === undefined) {
    if (file.environment === 'development') return;
    throw new KmcError('E_TIME', 'The witness must type the time of the wall clock.');
  }
  if (Math.abs(witnessTime.getTime() - now.getTime()) > CLOCK_TOLERANCE_SECONDS * 1000) {
    throw new KmcError('E_TIME', 'The clock of this machine and that of the witness differ by more than five minutes.');
  }
}

/** Nothing is overwritten, and nothing begins that would find its output there (C8). */
function requireNew({ folder }: CeremonyRunPorts, { plan }: PlannedCeremony): void {
  if (folder.read(BUNDLE.transcript) !== undefined) {
    throw new KmcError('E_EXISTS', 'This ceremony was begun already: it has a transcript.');
  }
  if (plan.inputs.some(({ name, secret }) => secret && folder.read(inputFile(name)) !== undefined)) {
    throw new KmcError(
      'E_LINT',
      'A private key lies in the folder of the ceremony: no bundle holds one. Move it away.',
    );
  }
  const present = [...folder.files().keys()].filter((name) => name.startsWith(outputFile('')));
  if (present.length === 0) return;
  throw new KmcError(
    'E_EXISTS',
    `Outputs of ${plan.ceremony} are there already: ${present[0] ?? ''}. Nothing was done.`,
  );
}

class Journal {
  readonly #run: CeremonyRun;
  readonly #chain: TranscriptChain;
  readonly #begunAt: number;

  constructor(run: CeremonyRun, planHash: string) {
    this.#run = run;
    this.#chain = new TranscriptChain(planHash);
    this.#begunAt = performance.now();
  }

  get head(): string {
    return this.#chain.head;
  }

  open(): void {
    const { folder } = this.#run.ports;
    const { plan, file, seated, inputs } = this.#run.facts;
    const manifest = Buffer.from(`${canonicalizeSigned(plan.tool)}\n`, 'utf8');
    folder.create(BUNDLE.tool, manifest);
    folder.create(BUNDLE.deviations, Buffer.alloc(0));
    for (const entry of plan.inputs) {
      const bytes = inputs.get(entry.name);
      const stands = bytes !== undefined && folder.read(inputFile(entry.name))?.equals(bytes) === true;
      if (!entry.secret && bytes !== undefined && !stands) folder.create(inputFile(entry.name), bytes);
    }
    const files = [...folder.files()].map(([name, bytes]) => ({ name, sm3: createDigests(bytes).sm3 }));
    this.#write({
      kind: 'open',
      step: '-',
      operator: seated.find((one) => one.seat === 'lead')?.person ?? 'kmc',
      text: `opened ${file.id} (${file.type}, ${file.environment}): ${file.policy}`,
      outcome: 'success',
      files,
      facts: Object.fromEntries(seated.map((one) => [one.person, one.seat])),
    });
  }

  /** One step: intent, act, result, initials. */
  async around(step: CeremonyStep): Promise<void> {
    const text = stepKindRule(step.do)?.text(step) ?? step.do;
    const about = { step: step.id, operator: this.#run.people('lead')[0]?.person ?? 'kmc' };
    this.#write({ ...about, kind: 'intent', text, outcome: 'begun', files: [], facts: { do: step.do } });
    let result: StepResult;
    try {
      if (!isStepKind(step.do)) throw new KmcError('E_LINT', `There is no step kind ${step.do}.`);
      result = await STEP_ACTS[step.do].act(this.#run, step);
    } catch (error) {
      const code = error instanceof KmcError ? error.code : 'E_INTERNAL';
      const why = error instanceof KmcError ? error.message : 'an internal fault stopped the step';
      this.#write({ ...about, kind: 'result', text: why, outcome: 'failure', files: [], facts: { code } });
      throw error;
    }
    const hash = this.#write({ ...about, kind: 'result', outcome: 'success', ...result });
    await this.#initial(step, hash);
  }

  end(): void {
    const { ceremonyEpoch, restrictedKeys } = this.#run.register;
    this.#write({
      kind: 'end',
      step: '-',
      operator: 'kmc',
      text: 'every step is done and every keystore is closed',
      outcome: 'success',
      files: [],
      facts: { ceremonyEpoch, restrictedKeys: restrictedKeys.join(' ') },
    });
  }

  async #initial(step: CeremonyStep, record: string): Promise<void> {
    const [witness] = this.#run.people('witness');
    if (witness === undefined) throw new KmcError('E_FORBIDDEN', 'The witness must attend.');
    const facts = { purpose: 'initials', ceremony: this.#run.facts.file.id, digest: record } as const;
    const signature = await signInSeat(this.#run.engine, witness, { ...facts, at: this.#run.ports.clock.now() });
    this.#write({
      kind: 'initials',
      step: step.id,
      operator: witness.person,
      text: 'the witness saw this step',
      outcome: 'success',
      files: [],
      facts: { signature: encodeSeatSignature(signature).toString('utf8').trim() },
    });
  }

  #write(facts: Omit<RecordFacts, 'at' | 'elapsed' | 'files'> & { readonly files: readonly TranscriptFile[] }): string {
    const { clock, folder } = this.#run.ports;
    const elapsed = String(Math.round(performance.now() - this.#begunAt));
    const { line, hash } = this.#chain.next({ ...facts, at: signedTime(clock.now()), elapsed });
    folder.append(BUNDLE.transcript, line);
    return hash;
  }
}
