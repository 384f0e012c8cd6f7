/** Totals and reports made anew from a copy of the log, by whoever holds one. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { parseNote } from '../audit/checkpoint.ts';
import { CompactRange, leafHash } from '../audit/tree.ts';
import type { FigureCell } from './measures.ts';
import { closesAt } from './month.ts';
import { supervisionReport, type SupervisionReport } from './report.ts';
import { FigureTotals } from './totals.ts';

/** A signed note with its time in seconds since 1970. */
export interface CopiedCheckpoint {
  readonly size: number;
  readonly time: number;
  readonly note: string;
}

/** The smallest checkpoint, and of these the oldest, over at least `events` events; they are in the order of times. */
export function checkpointOver(checkpoints: readonly CopiedCheckpoint[], events: number): CopiedCheckpoint | undefined {
  return checkpoints.find(({ size }) => size >= events);
}

/** The checkpoint that cuts a month that is over: its events belong to it and to those before. */
export function closingOf(checkpoints: readonly CopiedCheckpoint[], month: string): CopiedCheckpoint | undefined {
  return checkpoints.find(({ time }) => time >= closesAt(month));
}

/** Books the first so many events, and the tree over the events up to the checkpoint that covers them. */
export class Recomputation {
  readonly #events: number;
  readonly #checkpoint: CopiedCheckpoint;
  readonly #totals = new FigureTotals();
  readonly #tree = new CompactRange(sm3);

  /** @throws KmcError E_NOT_FOUND when no checkpoint of the copy covers so many events. */
  constructor(events: number, checkpoints: readonly CopiedCheckpoint[]) {
    const covering = checkpointOver(checkpoints, events);
    if (covering === undefined) {
      throw new KmcError('E_NOT_FOUND', `The copy of the log ends before event ${events}: pull it again.`);
    }
    this.#events = events;
    this.#checkpoint = covering;
  }

  /** The events of the log in their order, as canonical bytes; those behind the checkpoint are passed over. */
  add(canon: Buffer): void {
    if (this.isFull) return;
    if (this.#tree.size < this.#events) this.#totals.addEvent(canon);
    this.#tree.append(leafHash(sm3, canon));
  }

  /** True once no further event is needed. */
  get isFull(): boolean {
    return this.#tree.size >= this.#checkpoint.size;
  }

  /** @throws KmcError E_INTEGRITY unless the events are those that the checkpoint was signed over. */
  totals(): FigureCell[] {
    const { size, root } = parseNote(this.#checkpoint.note).checkpoint;
    if (this.#tree.size === size && this.#tree.root().equals(root)) return this.#totals.cells();
    throw new KmcError('E_INTEGRITY', `The events of the copy are not those of the checkpoint of size ${size}.`);
  }

  /** The report of a month that goes up to these events. @throws KmcError E_INTEGRITY as `totals`. */
  report(month: string, complete: boolean): SupervisionReport {
    const of = { month, complete, events: this.#events, note: this.#checkpoint.note };
    return supervisionReport(of, this.totals());
  }
}
