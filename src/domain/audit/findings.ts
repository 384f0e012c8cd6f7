/** What a verification finds, and the exit code that stands for it (audit-log 3.14). */

export const AUDIT_EXIT = {
  ok: 0,
  usage: 1,
  /** Cannot decide: input is missing, short or unreadable, or there is nothing to check. */
  undecided: 3,
  /** The content does not give the signed root. */
  content: 10,
  /** The log's signature does not hold, or is by an unknown key. */
  signature: 11,
  /** Two signed checkpoints contradict each other. */
  fork: 12,
  /** Too few witnesses. */
  witnesses: 13,
  /** The history of a subject has a gap or a false link. */
  history: 14,
  /** Older than what is known to have been signed. */
  rollback: 15,
  /** Malformed, not canonical, against the schema, or of another identity. */
  malformed: 16,
  /** An event lies about its time. */
  time: 17,
} as const;

export type AuditExit = (typeof AUDIT_EXIT)[keyof typeof AUDIT_EXIT];

export interface AuditFinding {
  readonly exit: AuditExit;
  readonly what: string;
  /** Leaf index of the event, where it is about one. */
  readonly index?: number;
}

/** Not evidence of tampering: they count only when nothing else was found. */
const WEAK: readonly AuditExit[] = [AUDIT_EXIT.witnesses, AUDIT_EXIT.undecided];
const KEPT = 100;

/** Collects findings; of a flood only the first are kept in full, all are counted. */
export class FindingList {
  readonly #kept: AuditFinding[] = [];
  readonly #exits = new Set<AuditExit>();
  #count = 0;

  add(exit: AuditExit, what: string, index?: number): void {
    this.#count += 1;
    this.#exits.add(exit);
    if (this.#kept.length < KEPT) this.#kept.push({ exit, what, ...(index === undefined ? {} : { index }) });
  }

  has(exit: AuditExit): boolean {
    return this.#exits.has(exit);
  }

  get count(): number {
    return this.#count;
  }

  get kept(): readonly AuditFinding[] {
    return [...this.#kept];
  }

  /** The lowest code that is evidence of tampering; failing that 13, then 3; 0 only when nothing was found. */
  get exitCode(): AuditExit {
    const evidence = [...this.#exits].filter((exit) => !WEAK.includes(exit)).sort((a, b) => a - b);
    return [...evidence, ...WEAK.filter((exit) => this.#exits.has(exit))][0] ?? AUDIT_EXIT.ok;
  }
}
