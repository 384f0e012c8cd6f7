/** What a verification finds, and the exit code that stands for it. */
export const EXIT = {
  ok: 0,
  usage: 1,
  /** Cannot decide: input is missing, short or unreadable, or there is nothing to check. */
  undecided: 3,
  content: 10,
  signature: 11,
  fork: 12,
  witnesses: 13,
  history: 14,
  rollback: 15,
  malformed: 16,
  time: 17,
} as const;

export type Exit = (typeof EXIT)[keyof typeof EXIT];

export interface Finding {
  readonly exit: Exit;
  readonly what: string;
  /** Leaf index, where it is about one event. */
  readonly index?: number;
}

/** Not evidence of tampering: these count only when there is none. */
const WEAK: readonly Exit[] = [EXIT.witnesses, EXIT.undecided];
const KEPT = 100;

export class Findings {
  readonly #exits = new Set<Exit>();
  readonly #kept: Finding[] = [];
  #count = 0;

  add(exit: Exit, what: string, index?: number): void {
    this.#count += 1;
    this.#exits.add(exit);
    if (this.#kept.length < KEPT) this.#kept.push(index === undefined ? { exit, what } : { exit, what, index });
  }

  /** How many there are; `kept` holds the first hundred. */
  get count(): number {
    return this.#count;
  }

  get kept(): readonly Finding[] {
    return this.#kept;
  }

  /** The lowest code that is evidence of tampering, else 13, else 3; 0 only when nothing was found. */
  get exitCode(): Exit {
    const evidence = [...this.#exits].filter((exit) => !WEAK.includes(exit)).sort((x, y) => x - y);
    return [...evidence, ...WEAK.filter((exit) => this.#exits.has(exit))][0] ?? EXIT.ok;
  }
}
