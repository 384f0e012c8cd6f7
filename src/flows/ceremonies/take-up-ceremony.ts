import { outputFile } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import type { CeremonyProgress } from '../../domain/ceremony/progress.ts';
import { isStepKind, type KeystoreName } from '../../domain/ceremony/step-kinds.ts';
import type { CeremonyRun } from './ceremony-run.ts';
import { readShareFile } from './participant.ts';
import { STEP_ACTS } from './step-acts.ts';
import { keystoreOf } from './steps/create-keystore.ts';
import { openKeystoreOf } from './steps/open-keystore.ts';
import type { StepJournal } from './step-journal.ts';

/**
 * Brings a ceremony that was cut back to where it stood: what its steps left to later ones, the keystores that were open,
 * and the initials that are owed. The record of it names whose shares opened what again.
 * @throws KmcError E_SHARE_BAD, E_SHARE_SET, E_ROLLBACK, E_INTEGRITY, after a record of the failure.
 */
export async function takeUpCeremony(
  run: CeremonyRun,
  journal: StepJournal,
  { done, isBegun, owed }: CeremonyProgress,
): Promise<void> {
  const { steps } = run.facts.file;
  recallShares(run);
  for (const [at, record] of done.entries()) {
    const step = steps[at];
    if (step !== undefined && isStepKind(step.do)) STEP_ACTS[step.do].recall?.(run, step, record);
  }
  const next = steps[done.length];
  if (isBegun && next !== undefined) run.repeat(next);
  const operator = run.people('lead')[0]?.person ?? 'kmc';
  const about = { kind: 'resume', step: next?.id ?? '-', operator } as const;
  const result = await journal.attempt(about, async () => {
    const open = openKeystores(steps.slice(0, done.length), steps.slice(done.length));
    const texts: string[] = [];
    for (const keystore of open) texts.push((await openKeystoreOf(run, keystore)).text);
    const where = next === undefined ? 'after its last step' : `${isBegun ? 'in' : 'before'} step ${next.id}`;
    return { text: [`resumed ${where}`, ...texts].join('; '), files: [], facts: run.circumstances() };
  });
  const record = journal.write({ ...about, outcome: 'success', ...result });
  await journal.initial(record);
  for (const { record: earlier, seat } of owed) await journal.initialAs(seat, earlier);
}

/** Every share that the ceremony has handed out, those of a step that was cut included. */
function recallShares(run: CeremonyRun): void {
  for (const [name, bytes] of run.ports.folder.files()) {
    if (!name.startsWith(outputFile('shares/'))) continue;
    const { keystore, ...share } = readShareFile(bytes);
    run.keepShares(keystore, [share]);
  }
}

/** The keystores that were open, as far as a step that is left needs any. Closing one needs nothing. */
function openKeystores(done: readonly CeremonyStep[], left: readonly CeremonyStep[]): KeystoreName[] {
  if (left.every((step) => step.do === 'close-keystore')) return [];
  const open = new Set<KeystoreName>();
  for (const step of done) {
    if (step.do === 'open-keystore') open.add(keystoreOf(step));
    if (step.do === 'close-keystore') open.delete(keystoreOf(step));
  }
  return [...open];
}
