import { BUNDLE } from '../../domain/ceremony/bundle-files.ts';
import type { DeviationRule } from '../../domain/ceremony/transcript.ts';
import { KmcError } from '../../errors.ts';
import { requireApprovals, requirePlanned } from './approve-ceremony.ts';
import { CeremonyRun, type CeremonyRunPorts } from './ceremony-run.ts';
import { readBegun } from './conduct-ceremony.ts';
import { seatParticipants, type Participant } from './participant.ts';
import type { PlannedCeremony } from './plan-ceremony.ts';
import { StepJournal } from './step-journal.ts';

export interface Deviation {
  /** Made by planCeremony just now. */
  readonly planned: PlannedCeremony;
  /** Lead and witness, at least. */
  readonly participants: readonly Participant[];
  /** Id of the step it belongs to. */
  readonly step: string;
  /** What was done otherwise, and why. */
  readonly text: string;
  /** The rule that it lifts, if it does. */
  readonly allows?: DeviationRule;
}

/**
 * Writes down that something in an approved ceremony is otherwise than planned (C12), with the initials of the lead and of
 * the witness. The bundle stays valid and is flagged. It may come before the first step.
 * @returns the number of the record.
 * @throws KmcError E_SIGNATURE, E_QUORUM (not approved), E_STATE (the ceremony has ended), E_NOT_FOUND (no such step),
 * E_FORBIDDEN (no lead or no witness), E_INTEGRITY (the transcript was altered), E_SCHEMA (the text).
 */
export async function deviateCeremony(ports: CeremonyRunPorts, deviation: Deviation): Promise<string> {
  const { planned, participants, step, text, allows } = deviation;
  const { file } = planned.planning;
  requirePlanned(ports.folder, planned.plan);
  requireApprovals(ports.folder, planned, file);
  const { transcript, progress } = readBegun(ports, planned);
  if (progress.isEnded) throw new KmcError('E_STATE', 'The ceremony has ended: nothing more is written into it.');
  if (!planned.plan.steps.some(({ id }) => id === step)) {
    throw new KmcError('E_NOT_FOUND', `The ceremony has no step ${step}: see kmc ceremony plan.`);
  }
  const seated = seatParticipants(file, participants);
  for (const seat of ['lead', 'witness'] as const) {
    if (!seated.some((one) => one.seat === seat)) throw new KmcError('E_FORBIDDEN', `The ${seat} must initial it.`);
  }
  const network = ports.network().join('; ') || 'none';
  const facts = { ...planned.planning, plan: planned.plan, seated, network, secrets: new Map<string, Buffer>() };
  const run = new CeremonyRun(ports, facts);
  ports.folder.clearUp(BUNDLE.transcript);
  const journal = new StepJournal(run, transcript);
  const record = journal.write({
    kind: 'deviation',
    step,
    operator: run.people('lead')[0]?.person ?? 'kmc',
    text,
    outcome: 'success',
    facts: allows === undefined ? {} : { allows },
  });
  await journal.initial(record);
  return record.n;
}
