/**
 * Counts the refusals of callers who did not prove who they are: one audit event for each source and minute, with the
 * count, so that a flood of requests is no flood of events (audit-log 3.6).
 */

export interface RefusalCount {
  /** Transport address; undefined for the sources beyond the first ones of a minute, which are counted together. */
  readonly source: string | undefined;
  /** Begin of the minute. */
  readonly minute: Date;
  readonly count: number;
  /** Code and operation of the first of them. */
  readonly code: string;
  readonly operation: string;
}

const MINUTE_MS = 60_000;
/** Sources that are told apart within a minute. */
const SOURCE_LIMIT = 500;

interface Minute {
  readonly sources: Map<string | undefined, RefusalCount>;
}

/** The counts of one process that are not written yet. */
export class RefusalTally {
  readonly #minutes = new Map<number, Minute>();

  add(source: string, code: string, operation: string, at: Date): void {
    const start = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
    const minute: Minute = this.#minutes.get(start) ?? { sources: new Map() };
    this.#minutes.set(start, minute);
    const isTold = minute.sources.has(source) || minute.sources.size < SOURCE_LIMIT;
    const key = isTold ? source : undefined;
    const before = minute.sources.get(key);
    const first = before ?? { source: key, minute: new Date(start), count: 0, code, operation };
    minute.sources.set(key, { ...first, count: first.count + 1 });
  }

  /** The counts of the minutes that were over at `at`. */
  completed(at: Date): RefusalCount[] {
    const ended = [...this.#minutes].filter(([start]) => start + MINUTE_MS <= at.getTime());
    return ended.flatMap(([, minute]) => [...minute.sources.values()]);
  }

  /** Forgets a count that has been written. */
  forget(written: RefusalCount): void {
    const minute = this.#minutes.get(written.minute.getTime());
    minute?.sources.delete(written.source);
    if (minute?.sources.size === 0) this.#minutes.delete(written.minute.getTime());
  }
}
