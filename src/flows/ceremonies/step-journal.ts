import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { createDigests } from '../../crypto/digests.ts';
import { BUNDLE, inputFile } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyStep } from '../../domain/ceremony/ceremony-file.ts';
import { initialsOf } from '../../domain/ceremony/progress.ts';
import type { SeatName } from '../../domain/ceremony/seats.ts';
import { encodeSeatSignature } from '../../domain/ceremony/seat-signature.ts';
import { isStepKind, stepKindRule } from '../../domain/ceremony/step-kinds.ts';
import { TranscriptChain } from '../../domain/ceremony/transcript.ts';
import type { OpenTranscript, ReadRecord, RecordFacts, TranscriptFile } from '../../domain/ceremony/transcript.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { CeremonyRun } from './ceremony-run.ts';
import { signInSeat } from './participant.ts';
import { STEP_ACTS } from './step-acts.ts';
import type { StepResult } from './step-act.ts';

type NewRecord = Omit<RecordFacts, 'at' | 'elapsed' | 'files'> & { readonly files?: readonly TranscriptFile[] };

/** Writes the transcript of a ceremony while it runs: every record is durable before the next thing happens (C9, C10). */
export class StepJournal {
  readonly #run: CeremonyRun;
  readonly #chain: TranscriptChain;
  /** Where the monotonic clock of the ceremony began, in that of this process. */
  readonly #begunAt: number;
  readonly #records: ReadRecord[];

  /** @param before the records that are there; a torn line behind them was cut off. */
  constructor(run: CeremonyRun, { records, head }: Pick<OpenTranscript, 'records' | 'head'>) {
    this.#run = run;
    this.#records = [...records];
    this.#chain = new TranscriptChain(head, records.length);
    const last = records.at(-1);
    const pause = last === undefined ? 0 : Math.max(run.ports.clock.now().getTime() - Date.parse(last.at), 0);
    this.#begunAt = performance.now() - Number(last?.elapsed ?? 0) - pause;
  }

  /** Every record so far. */
  get records(): readonly ReadRecord[] {
    return this.#records;
  }

  get head(): string {
    return this.#chain.head;
  }

  /** The first record: who is there, and every file that was read. */
  open(): void {
    const { folder } = this.#run.ports;
    const { plan, file, seated, inputs } = this.#run.facts;
    folder.ensure(BUNDLE.tool, Buffer.from(`${canonicalizeSigned(plan.tool)}\n`, 'utf8'));
    for (const entry of plan.inputs) {
      const bytes = inputs.get(entry.name);
      if (!entry.secret && bytes !== undefined) folder.ensure(inputFile(entry.name), bytes);
    }
    const files = [...folder.files()]
      .filter(([name]) => name !== BUNDLE.transcript)
      .map(([name, bytes]) => ({ name, sm3: createDigests(bytes).sm3 }));
    this.write({
      kind: 'open',
      step: '-',
      operator: seated.find((one) => one.seat === 'lead')?.person ?? 'kmc',
      text: `opened ${file.id} (${file.type}, ${file.environment}): ${file.policy}`,
      outcome: 'success',
      files,
      facts: this.#run.circumstances(),
    });
  }

  /** One step: intent, act, result, initials. @throws KmcError what the step refuses, after writing it down. */
  async around(step: CeremonyStep): Promise<void> {
    const text = stepKindRule(step.do)?.text(step) ?? step.do;
    const about = { step: step.id, operator: this.#lead };
    this.write({ ...about, kind: 'intent', text, outcome: 'begun', facts: { do: step.do } });
    const result = await this.attempt({ ...about, kind: 'result' }, async () => {
      if (!isStepKind(step.do)) throw new KmcError('E_LINT', `There is no step kind ${step.do}.`);
      return await STEP_ACTS[step.do].act(this.#run, step);
    });
    await this.initial(this.write({ ...about, kind: 'result', outcome: 'success', ...result }));
  }

  /** Does what a record will tell of; a failure is written down as one. */
  async attempt(
    about: Pick<RecordFacts, 'kind' | 'step' | 'operator'>,
    work: () => Promise<StepResult>,
  ): Promise<StepResult> {
    try {
      return await work();
    } catch (error) {
      const code = error instanceof KmcError ? error.code : 'E_INTERNAL';
      const why = error instanceof KmcError ? error.message : 'an internal fault stopped the step';
      this.write({ ...about, text: why, outcome: 'failure', facts: { code } });
      throw error;
    }
  }

  /** The last record. */
  end(): void {
    const { ceremonyEpoch, restrictedKeys } = this.#run.register;
    this.write({
      kind: 'end',
      step: '-',
      operator: 'kmc',
      text: 'every step is done and every keystore is closed',
      outcome: 'success',
      facts: { ceremonyEpoch, restrictedKeys: restrictedKeys.join(' ') },
    });
  }

  /** Lets each seat that must initial a record do so. @throws KmcError E_FORBIDDEN when nobody sits there. */
  async initial(record: ReadRecord): Promise<void> {
    for (const seat of initialsOf(record)) await this.initialAs(seat, record);
  }

  /** The initials of one seat. @throws KmcError E_FORBIDDEN. */
  async initialAs(seat: SeatName, record: ReadRecord): Promise<void> {
    const [person] = this.#run.people(seat);
    if (person === undefined) throw new KmcError('E_FORBIDDEN', `The ${seat} must attend.`);
    const { engine, facts, ports } = this.#run;
    const about = { purpose: 'initials', ceremony: facts.file.id, digest: record.hash } as const;
    const signature = await signInSeat(engine, person, { ...about, at: ports.clock.now() });
    this.write({
      kind: 'initials',
      step: record.step,
      operator: person.person,
      text: `the ${seat} saw what record ${record.n} tells`,
      outcome: 'success',
      facts: { record: record.n, seat, signature: encodeSeatSignature(signature).toString('utf8').trim() },
    });
  }

  /** Writes a record, durable on return. */
  write({ files = [], ...facts }: NewRecord): ReadRecord {
    const { clock, folder } = this.#run.ports;
    const elapsed = String(Math.round(performance.now() - this.#begunAt));
    const { line, record } = this.#chain.next({ ...facts, files, at: signedTime(clock.now()), elapsed });
    folder.append(BUNDLE.transcript, line);
    this.#records.push(record);
    return record;
  }

  get #lead(): string {
    return this.#run.people('lead')[0]?.person ?? 'kmc';
  }
}
