/** How far a ceremony has come, by its transcript (C9): what is done, what was begun, and what the people still owe it. */
import type { ReadRecord } from './transcript.ts';
import type { SeatName } from './seats.ts';

/** The seats that initial a record (C11, C12); nobody initials the others. */
export function initialsOf({ kind, outcome }: Pick<ReadRecord, 'kind' | 'outcome'>): readonly SeatName[] {
  if (kind === 'deviation') return ['witness', 'lead'];
  return kind === 'resume' || (kind === 'result' && outcome === 'success') ? ['witness'] : [];
}

export interface CeremonyProgress {
  /** The record of its opening is there. */
  readonly isOpen: boolean;
  /** The result of each step that is done, in the order of the plan. */
  readonly done: readonly ReadRecord[];
  /** The step behind those was begun: what it does may be there, in part or in full. */
  readonly isBegun: boolean;
  /** Records that a seat has not initialled yet. */
  readonly owed: readonly { readonly record: ReadRecord; readonly seat: SeatName }[];
  readonly isEnded: boolean;
}

/** @param steps ids of the planned steps, in their order. */
export function ceremonyProgress(records: readonly ReadRecord[], steps: readonly string[]): CeremonyProgress {
  const done = records.filter(({ kind, outcome }) => kind === 'result' && outcome === 'success');
  const next = steps[done.length];
  return {
    isOpen: records.some(({ kind }) => kind === 'open'),
    done,
    isBegun: records.some(({ kind, step }) => kind === 'intent' && step === next),
    owed: records.flatMap((record) =>
      initialsOf(record)
        .filter((seat) => !records.some((one) => isInitialOf(one, record, seat)))
        .map((seat) => ({ record, seat })),
    ),
    isEnded: records.at(-1)?.kind === 'end',
  };
}

/** True for the initials of a seat over a record; whether the signature verifies is for the verifier to say. */
export function isInitialOf(one: ReadRecord, record: ReadRecord, seat: SeatName): boolean {
  return one.kind === 'initials' && one.facts['record'] === record.n && one.facts['seat'] === seat;
}
