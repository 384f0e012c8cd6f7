/**
 * The verification of a log against its signed checkpoint, offline and from the exact bytes: content and root,
 * signatures, the chain of every subject, form, and time. Nothing that was not looked at counts as good.
 */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { AUDIT_EXIT, FindingList, type AuditExit, type AuditFinding } from './findings.ts';
import { linksOfMisfit, parseAuditRecord, type AuditRecord } from './record.ts';
import { CompactRange, leafHash } from './tree.ts';
import { ChainCheck, TimeBracket } from './verify-events.ts';
import { holdNotes, type HeldNote, type HeldNotes, type NoteInput } from './verify-notes.ts';
import { TileComparison, type TileFile } from './verify-tiles.ts';

/** What a verifier has seen before: no log may go back behind it. */
export interface PinnedState {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

export interface VerificationInput extends NoteInput {
  readonly pinned?: PinnedState;
  /** The tile files beside the events; absent when there are none. */
  readonly tiles?: TileFile;
}

export interface AuditReport {
  readonly exitCode: AuditExit;
  readonly origin: string;
  /** The signed checkpoint that the content was measured with. */
  readonly checkpoint?: { readonly size: number; readonly root: string; readonly time: string };
  /** The leaves [from, to) of `of` agree with the signed root; `unverifiedTail` events stand behind them. */
  readonly coverage: {
    readonly from: number;
    readonly to: number;
    readonly of: number;
    readonly unverifiedTail: number;
  };
  readonly subjects: number;
  readonly notes: number;
  readonly tiles: number;
  readonly logKey: string;
  readonly witnesses: readonly { readonly name: string; readonly time: string }[];
  readonly findings: readonly AuditFinding[];
  /** All of them; `findings` holds the first 100. */
  readonly findingCount: number;
  readonly warnings: readonly string[];
  /** Two signed notes that contradict each other. */
  readonly fork?: readonly [string, string];
}

/** One run: every event from index 0 on through `add`, then `finish`. */
export class AuditVerification {
  readonly #input: VerificationInput;
  readonly #findings = new FindingList();
  readonly #held: HeldNotes;
  readonly #chains: ChainCheck;
  readonly #times: TimeBracket;
  readonly #tiles: TileComparison | undefined;
  readonly #range = new CompactRange(sm3);
  /** The roots on the way, at every size that somebody signed or has pinned. */
  readonly #roots = new Map<number, Buffer>();
  #fork: readonly [string, string] | undefined;
  readonly #wantedSizes: readonly number[];
  readonly #observe = (level: number, node: Buffer): void => this.#tiles?.subtree(level, node);
  #nextSize = 0;
  #seen = 0;

  constructor(input: VerificationInput) {
    this.#input = input;
    this.#held = holdNotes(input, this.#findings);
    this.#fork = this.#held.fork;
    this.#chains = new ChainCheck(input.policy.origin, this.#findings);
    this.#times = new TimeBracket(this.#held.notes, input.policy, this.#findings);
    this.#tiles =
      input.tiles === undefined ? undefined : new TileComparison(input.tiles, this.#signedSize, this.#findings);
    const sizes = new Set(this.#held.notes.map((note) => note.checkpoint.size));
    if (input.pinned !== undefined) sizes.add(input.pinned.size);
    this.#wantedSizes = [...sizes].filter((size) => size > 0).sort((a, b) => a - b);
  }

  /** The next event, as its canonical bytes. */
  add(canon: Buffer): void {
    const index = this.#seen;
    this.#seen += 1;
    const leaf = leafHash(sm3, canon);
    if (index < this.#signedSize) {
      this.#tiles?.entry(canon, leaf);
      this.#range.append(leaf, this.#observe);
      this.#noteRoot();
    }
    const record = this.#read(canon, index);
    if (record === undefined) {
      this.#chains.follow(index, linksOfMisfit(canon), leaf.toString('base64url'));
    } else {
      this.#chains.check(index, record, leaf.toString('base64url'));
      this.#times.check(index, record);
    }
  }

  /** Something is wrong with the input itself, e.g. a file that ends within a line. */
  fault(exit: AuditExit, what: string): void {
    this.#findings.add(exit, what);
  }

  /** Ends the run. */
  async finish(): Promise<AuditReport> {
    this.#tiles?.finish();
    this.#chains.end();
    const { reference } = this.#held;
    const agrees = reference !== undefined && (await this.#compareContent(reference));
    if (agrees) this.#compareEarlierNotes(reference);
    this.#comparePinned(reference, agrees);
    return this.#report(agrees);
  }

  #read(canon: Buffer, index: number): AuditRecord | undefined {
    try {
      return parseAuditRecord(canon);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      this.#findings.add(AUDIT_EXIT.malformed, error.message, index);
      return undefined;
    }
  }

  get #signedSize(): number {
    return this.#held.reference?.checkpoint.size ?? 0;
  }

  #noteRoot(): void {
    if (this.#range.size !== this.#wantedSizes[this.#nextSize]) return;
    this.#roots.set(this.#range.size, this.#range.root());
    this.#nextSize += 1;
  }

  /** True when all events up to the signed size are there and give the signed root. */
  async #compareContent(reference: HeldNote): Promise<boolean> {
    const { size, root } = reference.checkpoint;
    if (size === 0 || this.#seen === 0) {
      this.#findings.add(AUDIT_EXIT.undecided, 'there is nothing to check');
      return false;
    }
    if (this.#seen < size) {
      await this.#judgeShortage(size, root);
      return false;
    }
    if (this.#seen > size) {
      this.#findings.add(
        AUDIT_EXIT.content,
        `${this.#seen - size} events stand behind the ${size} that were signed`,
        size,
      );
    }
    // Of two notes that contradict each other one may well agree: the contradiction is told apart.
    const rivals = this.#held.notes.filter((note) => note.checkpoint.size === size);
    const reached = this.#range.root();
    if (rivals.some((note) => note.checkpoint.root.equals(reached))) return true;
    this.#findings.add(AUDIT_EXIT.content, 'the events do not give the signed root');
    return false;
  }

  async #judgeShortage(size: number, root: Buffer): Promise<void> {
    const shortage = `only ${this.#seen} of the ${size} signed events are there`;
    const treeIsWhole = (await this.#tiles?.giveRoot(root)) === true;
    if (treeIsWhole)
      this.#findings.add(AUDIT_EXIT.undecided, `${shortage}; the tiles are whole, so this copy is cut short`);
    else this.#findings.add(AUDIT_EXIT.rollback, `${shortage}: the log was cut back behind its checkpoint`);
  }

  /** Only against content that the newest note vouches for: otherwise every note would seem false. */
  #compareEarlierNotes(reference: HeldNote): void {
    for (const { checkpoint, text } of this.#held.notes) {
      if (this.#roots.get(checkpoint.size)?.equals(checkpoint.root) !== false) continue;
      if (checkpoint.size === reference.checkpoint.size) continue;
      this.#findings.add(
        AUDIT_EXIT.fork,
        `the signed note of size ${checkpoint.size} does not agree with the newest one`,
      );
      this.#fork ??= [text, reference.text];
    }
  }

  #comparePinned(reference: HeldNote | undefined, agrees: boolean): void {
    const { pinned } = this.#input;
    if (pinned === undefined || reference === undefined) return;
    if (pinned.origin !== reference.checkpoint.origin) {
      this.#findings.add(AUDIT_EXIT.malformed, 'the pinned state is of another log');
    } else if (pinned.size > reference.checkpoint.size) {
      this.#findings.add(
        AUDIT_EXIT.rollback,
        `the log had ${pinned.size} events before and now has ${reference.checkpoint.size}`,
      );
    } else if (agrees && this.#roots.get(pinned.size)?.equals(pinned.root) === false) {
      this.#findings.add(AUDIT_EXIT.fork, `the log does not continue the state of size ${pinned.size} seen before`);
    }
  }

  #report(agrees: boolean): AuditReport {
    const { reference, witnesses } = this.#held;
    const to = agrees ? this.#signedSize : 0;
    return {
      exitCode: this.#findings.exitCode,
      origin: this.#input.policy.origin,
      ...(reference === undefined
        ? {}
        : {
            checkpoint: {
              size: reference.checkpoint.size,
              root: `sm3:${reference.checkpoint.root.toString('hex')}`,
              time: isoSeconds(reference.time),
            },
          }),
      coverage: { from: 0, to, of: this.#signedSize, unverifiedTail: this.#seen - to },
      subjects: this.#chains.subjects,
      notes: this.#held.notes.length,
      tiles: this.#tiles?.compared ?? 0,
      logKey: spkiSm3(this.#input.logSpki),
      witnesses: witnesses.map(({ name, time }) => ({ name, time: isoSeconds(time) })),
      findings: this.#findings.kept,
      findingCount: this.#findings.count,
      warnings: this.#warnings(),
      ...(this.#fork === undefined ? {} : { fork: this.#fork }),
    };
  }

  #warnings(): string[] {
    const unbounded = this.#times.withoutLowerBound;
    return [
      ...(this.#tiles === undefined ? ['there are no tile files: only the events were checked'] : []),
      ...(this.#input.policy.quorum === 0 ? ['the policy asks for no witness: the log vouches for itself alone'] : []),
      ...(unbounded === 0 ? [] : [`${unbounded} events have no lower bound for their time`]),
    ];
  }
}

function isoSeconds(time: number): string {
  return new Date(time * 1000).toISOString().replace('.000Z', 'Z');
}
