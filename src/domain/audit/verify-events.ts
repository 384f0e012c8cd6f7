/** Checks of single events in their order: identity, the chain of each subject, and the time between two checkpoints. */
import { AUDIT_EXIT, type FindingList } from './findings.ts';
import type { AuditPolicy } from './policy.ts';
import { subjectKey, type AuditRecord, type SubjectLink } from './record.ts';
import type { HeldNote } from './verify-notes.ts';

interface Head {
  readonly n: number;
  /** Leaf hash of the subject's last event, base64url. */
  readonly leaf: string;
}

/** An event that gives the log another name: its instance was restored from a backup. */
const RENAMES = 'log.open';

/**
 * Every event stands once, belongs to this log, and continues the chain of each of its subjects. The first events may be
 * those of a log of another name, up to the event that says that this one goes on from them.
 */
export class ChainCheck {
  readonly #origin: string;
  readonly #findings: FindingList;
  readonly #ids = new Set<string>();
  readonly #heads = new Map<string, Head>();
  /** The log that the events before belong to. */
  #log: string | undefined;

  constructor(origin: string, findings: FindingList) {
    this.#origin = origin;
    this.#findings = findings;
  }

  get subjects(): number {
    return this.#heads.size;
  }

  /**
   * `leaf` is the hash that went into the tree, base64url: the chain is compared with the tree itself, element by
   * element, and never only with what another event says of it.
   */
  check(index: number, record: AuditRecord, leaf: string): void {
    this.#checkLog(index, record);
    if (this.#ids.has(record.id)) this.#findings.add(AUDIT_EXIT.malformed, `the id ${record.id} stands twice`, index);
    this.#ids.add(record.id);
    this.follow(index, record.subj, leaf);
  }

  /** After the last event: the log that they led to is this one. */
  end(): void {
    if (this.#log !== undefined && this.#log !== this.#origin)
      this.#findings.add(AUDIT_EXIT.malformed, 'the events belong to another log');
  }

  #checkLog(index: number, { act, det, log }: AuditRecord): void {
    const isRenamed = act === RENAMES && det['previousOrigin'] === this.#log && det['origin'] === log;
    if (this.#log !== undefined && this.#log !== log && !isRenamed)
      this.#findings.add(AUDIT_EXIT.malformed, 'the event belongs to another log', index);
    else this.#log = log;
  }

  /** Goes on along the chains alone: for an event that is refused otherwise, lest all after it seem broken too. */
  follow(index: number, links: readonly SubjectLink[], leaf: string): void {
    for (const link of links) {
      const key = subjectKey(link);
      this.#checkLink(index, link, this.#heads.get(key));
      this.#heads.set(key, { n: link.n, leaf });
    }
  }

  #checkLink(index: number, link: SubjectLink, head: Head | undefined): void {
    const expected = head === undefined ? 0 : head.n + 1;
    if (link.n === expected) {
      if (link.p === (head?.leaf ?? null)) return;
      this.#findings.add(
        AUDIT_EXIT.history,
        `event ${link.n} of ${link.t} ${link.tag} does not follow the one in the tree`,
        index,
      );
    } else if (link.n > expected) {
      this.#findings.add(
        AUDIT_EXIT.history,
        `of ${link.t} ${link.tag} the events ${expected} to ${link.n - 1} are missing`,
        index,
      );
    } else {
      this.#findings.add(AUDIT_EXIT.malformed, `event ${link.n} of ${link.t} ${link.tag} stands twice`, index);
    }
  }
}

/**
 * Brackets the time of each event: after the checkpoint that its writer had seen, not long before the newest checkpoint
 * that does not hold it yet, and before the first one that does.
 */
export class TimeBracket {
  readonly #notes: readonly HeldNote[];
  readonly #policy: AuditPolicy;
  readonly #findings: FindingList;
  readonly #firstOfSize = new Map<number, HeldNote>();
  #next = 0;
  #withoutLowerBound = 0;

  /** `notes` by size, then by time. */
  constructor(notes: readonly HeldNote[], policy: AuditPolicy, findings: FindingList) {
    this.#notes = notes;
    this.#policy = policy;
    this.#findings = findings;
    for (const note of notes) {
      if (!this.#firstOfSize.has(note.checkpoint.size)) this.#firstOfSize.set(note.checkpoint.size, note);
    }
  }

  /** Events that neither name a checkpoint at hand nor come after one. */
  get withoutLowerBound(): number {
    return this.#withoutLowerBound;
  }

  /** To be called with rising indexes. */
  check(index: number, record: AuditRecord): void {
    while ((this.#notes[this.#next]?.checkpoint.size ?? Infinity) <= index) this.#next += 1;
    const time = Date.parse(record.ts) / 1000;
    const { clockSkew, maxDelay } = this.#policy;
    const after = this.#notes[this.#next];
    // Checkpoints are dated in whole seconds.
    if (after !== undefined && time > after.time + 1 + clockSkew) {
      this.#findings.add(AUDIT_EXIT.time, 'the event claims to be later than the checkpoint that holds it', index);
    }
    const before = this.#notes[this.#next - 1];
    const seen = this.#seenCheckpoint(index, record);
    if (before !== undefined && time < before.time - maxDelay - clockSkew) {
      this.#findings.add(
        AUDIT_EXIT.time,
        'the event claims to be much earlier than a checkpoint that does not hold it',
        index,
      );
    } else if (seen !== undefined && time < seen.time - clockSkew) {
      this.#findings.add(
        AUDIT_EXIT.time,
        'the event claims to be earlier than the checkpoint that its writer had seen',
        index,
      );
    }
    if (before === undefined && seen === undefined) this.#withoutLowerBound += 1;
  }

  #seenCheckpoint(index: number, { cp }: AuditRecord): HeldNote | undefined {
    if (cp === undefined) return undefined;
    const note = this.#firstOfSize.get(cp.n);
    const differs = note !== undefined && note.checkpoint.root.toString('base64url') !== cp.r;
    if (cp.n > index || differs) {
      this.#findings.add(AUDIT_EXIT.time, 'the event names a checkpoint that its writer cannot have seen', index);
    }
    return note;
  }
}
