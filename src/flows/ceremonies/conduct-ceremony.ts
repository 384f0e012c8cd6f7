/** How a ceremony is conducted, from its first step or from the one where it was cut. */
import { wipe } from '../../crypto/bytes.ts';
import { BUNDLE } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { needsService } from '../../domain/ceremony/ceremony-types.ts';
import { ceremonyProgress, type CeremonyProgress } from '../../domain/ceremony/progress.ts';
import type { SeatName } from '../../domain/ceremony/seats.ts';
import { stepKindRule } from '../../domain/ceremony/step-kinds.ts';
import { readOpenTranscript, type DeviationRule, type OpenTranscript } from '../../domain/ceremony/transcript.ts';
import type { ReadRecord } from '../../domain/ceremony/transcript.ts';
import { readSignedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { requireApprovals, requirePlanned } from './approve-ceremony.ts';
import { CeremonyRun, type CeremonyRunPorts } from './ceremony-run.ts';
import { seatParticipants, type Participant, type SeatedParticipant } from './participant.ts';
import type { PlannedCeremony } from './plan-ceremony.ts';
import { StepJournal } from './step-journal.ts';
import { takeBackShares } from './take-back-shares.ts';
import { takeUpCeremony } from './take-up-ceremony.ts';

export interface ConductInput {
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
  /** Holders who have not given back the share that was handed out, with its keystore: resume when they are there. */
  readonly awaited: readonly string[];
}

/** What stands of a ceremony when it is conducted. */
export interface Begun {
  readonly transcript: OpenTranscript;
  readonly progress: CeremonyProgress;
}

const CLOCK_TOLERANCE_SECONDS = 300;

/**
 * Conducts what is left of an approved ceremony.
 * @param check refuses a ceremony that does not stand where it must.
 * @throws KmcError E_SIGNATURE (plan hash differs), E_QUORUM (too few approvals), E_TIME (window, clock), E_FORBIDDEN (a
 * seat is empty), E_INTEGRITY (the transcript was altered), E_STATE (without the service it needs), what `check` and the
 * steps refuse.
 */
export async function conductCeremony(
  ports: CeremonyRunPorts,
  input: ConductInput,
  check: (begun: Begun) => void,
): Promise<CeremonyOutcome> {
  try {
    const { planned } = input;
    const { file } = planned.planning;
    requirePlanned(ports.folder, planned.plan);
    requireApprovals(ports.folder, planned, file);
    const begun = readBegun(ports, planned);
    if (begun.progress.isEnded) {
      check(begun);
      return { head: begun.transcript.head, steps: file.steps.length, awaited: [] };
    }
    const { records } = begun.transcript;
    requireTime(ports.clock.now(), input, records);
    check(begun);
    const seated = requireAttendance(file, input.participants);
    if (needsService(file) && ports.service === undefined) {
      throw new KmcError('E_STATE', 'This ceremony writes into the service: run it where the instance lies.');
    }
    const network = requireIsolation(ports, file, records);
    const secrets = input.secrets ?? new Map<string, Buffer>();
    const run = new CeremonyRun(ports, { ...planned.planning, plan: planned.plan, seated, secrets, network });
    return await conductSteps(run, begun, input.progress);
  } finally {
    for (const secret of input.secrets?.values() ?? []) wipe(secret);
  }
}

async function conductSteps(
  run: CeremonyRun,
  { transcript, progress }: Begun,
  report: ConductInput['progress'],
): Promise<CeremonyOutcome> {
  const { steps } = run.facts.file;
  try {
    const isDone = progress.done.length === steps.length;
    if (!isDone) run.quorum();
    run.ports.folder.clearUp(BUNDLE.transcript);
    const journal = new StepJournal(run, transcript);
    if (progress.isOpen) await takeUpCeremony(run, journal, progress);
    else journal.open();
    for (const [done, step] of [...steps.entries()].slice(progress.done.length)) {
      report?.(done, steps.length, stepKindRule(step.do)?.text(step) ?? step.do);
      await journal.around(step);
    }
    run.closeCeremonyKeystore();
    const awaited = await takeBackShares(run, journal);
    if (awaited.length === 0) journal.end();
    const shares = awaited.map(({ keystore, person }) => `${person}: ${keystore}`);
    return { head: journal.head, steps: steps.length, awaited: shares };
  } finally {
    run.release();
  }
}

/** What stands of a ceremony. @throws KmcError E_INTEGRITY when its transcript was altered. */
export function readBegun({ folder }: CeremonyRunPorts, { plan, hash }: PlannedCeremony): Begun {
  const transcript = readOpenTranscript(folder.read(BUNDLE.transcript) ?? Buffer.alloc(0), hash);
  const { fault, records } = transcript;
  if (fault !== undefined) {
    const where = `record ${fault.record}: ${fault.detail}`;
    throw new KmcError('E_INTEGRITY', `The transcript was altered, ${where}. Nothing was done.`);
  }
  const steps = plan.steps.map((step) => step.id);
  return { transcript, progress: ceremonyProgress(records, steps) };
}

function requireAttendance(file: CeremonyFile, participants: readonly Participant[]): SeatedParticipant[] {
  const seated = seatParticipants(file, participants);
  for (const seat of ['lead', 'witness', 'auditor'] as const satisfies readonly SeatName[]) {
    if (!seated.some((one) => one.seat === seat)) throw new KmcError('E_FORBIDDEN', `The ${seat} must attend.`);
  }
  return seated;
}

/** @throws KmcError E_FORBIDDEN in production, when the machine is connected and no deviation allows it (C15). */
function requireIsolation({ network }: CeremonyRunPorts, file: CeremonyFile, records: readonly ReadRecord[]): string {
  const found = network();
  const isAllowed = file.environment === 'development' || allows(records, 'network');
  if (found.length === 0) return 'none';
  if (isAllowed) return found.join('; ');
  throw new KmcError(
    'E_FORBIDDEN',
    `This machine is connected: ${found.join('; ')}. Take it off the network, or record a deviation that allows it.`,
  );
}

function allows(records: readonly ReadRecord[], rule: DeviationRule): boolean {
  return records.some(({ kind, facts }) => kind === 'deviation' && facts['allows'] === rule);
}

function requireTime(now: Date, { planned, witnessTime }: ConductInput, records: readonly ReadRecord[]): void {
  const { file } = planned.planning;
  const from = readSignedTime(file.window.from);
  const to = readSignedTime(file.window.to);
  const isLate = to === undefined || (now > to && !allows(records, 'window'));
  if (from === undefined || isLate || now < from) {
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
