/** What must hold between events in their order: identity, the chains of subjects, and time between checkpoints. */
import { EXIT, type Findings } from './findings.ts';
import { base64url } from './octets.ts';
import type { HeldNote } from './notes.ts';
import type { Policy } from './policy.ts';
import type { AuditEvent, Link } from './record.ts';

/** Every event stands once, is of this log, and continues the chain of each of its subjects. */
export class Chains {
  readonly #origin: string;
  readonly #findings: Findings;
  readonly #ids = new Set<string>();
  readonly #heads = new Map<string, { readonly n: number; readonly leaf: string }>();

  constructor(origin: string, findings: Findings) {
    this.#origin = origin;
    this.#findings = findings;
  }

  get subjects(): number {
    return this.#heads.size;
  }

  /** `leaf` is the hash in the tree: chains are compared with that, never with what another event says of it. */
  check(index: number, { id, log, subj }: AuditEvent, leaf: Uint8Array): void {
    if (log !== this.#origin) this.#findings.add(EXIT.malformed, 'the event belongs to another log', index);
    if (this.#ids.has(id)) this.#findings.add(EXIT.malformed, `the id ${id} stands twice`, index);
    this.#ids.add(id);
    this.follow(index, subj, leaf);
  }

  /** Goes on along the chains alone: for an event that is refused otherwise. */
  follow(index: number, links: readonly Link[], leaf: Uint8Array): void {
    for (const link of links) {
      const key = `${link.t} ${link.tag}`;
      const head = this.#heads.get(key);
      const next = head === undefined ? 0 : head.n + 1;
      if (link.n > next) {
        this.#findings.add(EXIT.history, `of ${key} the events ${next} to ${link.n - 1} are missing`, index);
      } else if (link.n < next) {
        this.#findings.add(EXIT.malformed, `event ${link.n} of ${key} stands twice`, index);
      } else if (link.p !== (head?.leaf ?? null)) {
        this.#findings.add(EXIT.history, `event ${link.n} of ${key} does not follow the one in the tree`, index);
      }
      this.#heads.set(key, { n: link.n, leaf: base64url(leaf) });
    }
  }
}

/** An event is later than the checkpoint its writer had seen and than the last one without it, and earlier than the first with it. */
export class Times {
  readonly #notes: readonly HeldNote[];
  readonly #policy: Policy;
  readonly #findings: Findings;
  #next = 0;
  #unbounded = 0;

  /** `notes` by size, then by time. */
  constructor(notes: readonly HeldNote[], policy: Policy, findings: Findings) {
    this.#notes = notes;
    this.#policy = policy;
    this.#findings = findings;
  }

  /** Events that nothing bounds from below. */
  get unbounded(): number {
    return this.#unbounded;
  }

  /** With rising indexes. */
  check(index: number, event: AuditEvent): void {
    while ((this.#notes[this.#next]?.size ?? Infinity) <= index) this.#next += 1;
    const time = Date.parse(event.ts) / 1000;
    const { clockSkew, maxDelay } = this.#policy;
    const [before, after] = [this.#notes[this.#next - 1], this.#notes[this.#next]];
    // Checkpoints are dated in whole seconds.
    if (after !== undefined && time > after.time + 1 + clockSkew)
      this.#lies('later than the checkpoint with it', index);
    const seen = this.#seen(index, event);
    if (before !== undefined && time < before.time - maxDelay - clockSkew) {
      this.#lies('much earlier than a checkpoint without it', index);
    } else if (seen !== undefined && time < seen.time - clockSkew) {
      this.#lies('earlier than the checkpoint that its writer had seen', index);
    }
    if (before === undefined && seen === undefined) this.#unbounded += 1;
  }

  #seen(index: number, { cp }: AuditEvent): HeldNote | undefined {
    if (cp === undefined) return undefined;
    const note = this.#notes.find(({ size }) => size === cp.n);
    if (cp.n > index || (note !== undefined && base64url(note.root) !== cp.r)) {
      this.#findings.add(EXIT.time, 'the event names a checkpoint that its writer cannot have seen', index);
    }
    return note;
  }

  #lies(how: string, index: number): void {
    this.#findings.add(EXIT.time, `the event claims to be ${how}`, index);
  }
}
