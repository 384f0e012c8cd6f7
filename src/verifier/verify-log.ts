/** Verifies a copy of the whole log, as `kmc audit pull` makes it, from nothing but its files. */
import { readLogCertificate, type LogCertificate } from './certificate.ts';
import { Chains, Times } from './events.ts';
import { EXIT, Findings } from './findings.ts';
import { DerivedIndex, indexStatement, type IndexStatement } from './history-index.ts';
import { holdNotes, type HeldNote, type HeldNotes } from './notes.ts';
import { equal, hex, textOf } from './octets.ts';
import { parsePolicy, type Policy } from './policy.ts';
import { linksOf, parseEvent } from './record.ts';
import { notBegun, type Report } from './report.ts';
import { TileFiles, type ReadFile } from './tiles.ts';
import { leafHash, Tree } from './tree.ts';

export interface LogCopy {
  /** A file of the folder by its path; undefined when it is not there. */
  readonly read: ReadFile;
  /** The content of events.jsonl in pieces; undefined when it is not there. */
  readonly events: Iterable<Uint8Array> | undefined;
  readonly hasTiles: boolean;
}

/** What an earlier run verified: no log goes back behind it. */
export interface Pinned {
  readonly origin: string;
  readonly size: number;
  /** `sm3:<hex>` */
  readonly root: string;
}

export interface LogOptions {
  /** The auditor's own policy file; that of the folder is taken, and told of, without it. */
  readonly policy?: string;
  readonly pinned?: Pinned;
  /** Makes every index that the log committed to anew from the events. */
  readonly rederiveIndex?: boolean;
}

const NEWLINE = 0x0a;
const LONGEST_LINE = 1_048_576;

/** Exit codes: 0 only when everything was checked and holds. */
export function verifyLog(copy: LogCopy, options: LogOptions = {}): Report {
  const texts = Object.fromEntries(
    ['checkpoint.txt', 'log.crt.pem', 'policy.json', 'checkpoints.jsonl'].map((name) => {
      const file = copy.read(name);
      return [name, file === undefined ? undefined : (textOf(file) ?? '')];
    }),
  );
  const { 'checkpoint.txt': checkpoint, 'log.crt.pem': pem, 'policy.json': own } = texts;
  const policyText = options.policy ?? own;
  if (checkpoint === undefined || pem === undefined || policyText === undefined || copy.events === undefined) {
    return notBegun(EXIT.undecided, 'a file is missing: checkpoint.txt, log.crt.pem, policy.json or events.jsonl');
  }
  const policy = parsePolicy(policyText);
  if (policy === undefined) return notBegun(EXIT.usage, 'the policy file does not have its form');
  const certificate = readLogCertificate(pem);
  if (certificate === undefined) return notBegun(EXIT.malformed, 'log.crt.pem is no certificate of an SM2 key');
  const findings = new Findings();
  const held = holdNotes(checkpoint, notesOf(texts['checkpoints.jsonl']), certificate, policy, findings);
  const run = new LogRun({ copy, options, policy, certificate, held, findings });
  for (const line of linesOf(copy.events, findings)) run.add(line);
  return run.finish();
}

/** A line that cannot be read is handed on as it is: as a note it is refused. */
function notesOf(lines: string | undefined): string[] {
  return (lines ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const value: unknown = JSON.parse(line);
        const note = typeof value === 'object' && value !== null && 'note' in value ? value.note : undefined;
        return typeof note === 'string' ? note : line;
      } catch {
        return line;
      }
    });
}

function* linesOf(pieces: Iterable<Uint8Array>, findings: Findings): Generator<Uint8Array> {
  let rest = new Uint8Array();
  for (const piece of pieces) {
    const octets = new Uint8Array(rest.length + piece.length);
    octets.set(rest);
    octets.set(piece, rest.length);
    let start = 0;
    for (let end = octets.indexOf(NEWLINE); end >= 0; end = octets.indexOf(NEWLINE, start)) {
      yield octets.subarray(start, end);
      start = end + 1;
    }
    rest = octets.slice(start);
    if (rest.length > LONGEST_LINE) break;
  }
  if (rest.length > 0) findings.add(EXIT.undecided, 'the events file is cut off within a line');
}

interface Scene {
  readonly copy: LogCopy;
  readonly options: LogOptions;
  readonly policy: Policy;
  readonly certificate: LogCertificate;
  readonly held: HeldNotes;
  readonly findings: Findings;
}

class LogRun {
  readonly #scene: Scene;
  readonly #size: number;
  readonly #tree = new Tree();
  readonly #tiles: TileFiles | undefined;
  readonly #chains: Chains;
  readonly #times: Times;
  readonly #index: DerivedIndex | undefined;
  readonly #statements: { readonly at: number; readonly statement: IndexStatement }[] = [];
  /** Roots at every size that somebody signed or that was pinned. */
  readonly #roots = new Map<number, Uint8Array | undefined>();
  #seen = 0;
  #fork: HeldNotes['fork'];

  constructor(scene: Scene) {
    const { copy, options, policy, held, findings } = scene;
    this.#scene = scene;
    this.#size = held.reference?.size ?? 0;
    this.#fork = held.fork;
    this.#tiles = copy.hasTiles ? new TileFiles(copy.read, this.#size, findings) : undefined;
    this.#chains = new Chains(policy.origin, findings);
    this.#times = new Times(held.notes, policy, findings);
    this.#index = options.rederiveIndex === true ? new DerivedIndex() : undefined;
    for (const { size } of [...held.notes, ...(options.pinned === undefined ? [] : [options.pinned])]) {
      this.#roots.set(size, undefined);
    }
  }

  add(octets: Uint8Array): void {
    const index = this.#seen;
    this.#seen += 1;
    const leaf = leafHash(octets);
    if (index < this.#size) {
      this.#tiles?.entry(octets, leaf);
      this.#tree.append(leaf, (level, node) => this.#tiles?.subtree(level, node));
      if (this.#roots.has(this.#tree.size)) this.#roots.set(this.#tree.size, this.#tree.root());
    }
    const event = parseEvent(octets);
    if (typeof event === 'string') {
      this.#scene.findings.add(EXIT.malformed, event, index);
      this.#chains.follow(index, linksOf(octets), leaf);
      return;
    }
    this.#chains.check(index, event, leaf);
    this.#times.check(index, event);
    this.#index?.add(index, event);
    const statement = indexStatement(event);
    if (statement !== undefined) this.#statements.push({ at: index, statement });
  }

  finish(): Report {
    this.#tiles?.finish(this.#seen >= this.#size);
    const { reference } = this.#scene.held;
    const agrees = reference !== undefined && this.#compareContent(reference);
    if (agrees) this.#compareNotes(reference);
    this.#comparePinned(reference, agrees);
    this.#compareIndexes();
    return this.#report(reference, agrees);
  }

  #compareContent({ size, root }: HeldNote): boolean {
    const { findings, held } = this.#scene;
    if (size === 0 || this.#seen === 0) {
      findings.add(EXIT.undecided, 'there is nothing to check');
      return false;
    }
    if (this.#seen < size) {
      const what = `only ${this.#seen} of the ${size} signed events are there`;
      if (this.#tiles?.giveRoot(root) === true) findings.add(EXIT.undecided, `${what}: this copy is cut short`);
      else findings.add(EXIT.rollback, `${what}: the log was cut back behind its checkpoint`);
      return false;
    }
    if (this.#seen > size) findings.add(EXIT.content, `${this.#seen - size} events stand behind the signed ones`, size);
    // Of two notes that contradict each other one may well agree: the contradiction is told apart.
    const reached = this.#tree.root();
    if (held.notes.some((note) => note.size === size && equal(note.root, reached))) return true;
    findings.add(EXIT.content, 'the events do not give the signed root');
    return false;
  }

  #compareNotes(reference: HeldNote): void {
    for (const note of this.#scene.held.notes) {
      const reached = this.#roots.get(note.size);
      if (note.size === reference.size || reached === undefined || equal(reached, note.root)) continue;
      this.#scene.findings.add(EXIT.fork, `the signed note of size ${note.size} does not agree with the newest one`);
      this.#fork ??= [note.text, reference.text];
    }
  }

  #comparePinned(reference: HeldNote | undefined, agrees: boolean): void {
    const { findings, options } = this.#scene;
    const { pinned } = options;
    if (pinned === undefined || reference === undefined) return;
    const reached = this.#roots.get(pinned.size);
    if (pinned.origin !== reference.origin) findings.add(EXIT.malformed, 'the pinned state is of another log');
    else if (pinned.size > reference.size) findings.add(EXIT.rollback, `${pinned.size} events were verified before`);
    else if (agrees && reached !== undefined && `sm3:${hex(reached)}` !== pinned.root) {
      findings.add(EXIT.fork, 'the log does not continue the state that was verified before');
    }
  }

  #compareIndexes(): void {
    const index = this.#index;
    if (index === undefined) return;
    for (const { at, statement } of this.#statements) {
      if (statement.size <= at && index.agrees(statement)) continue;
      this.#scene.findings.add(EXIT.history, 'the index that the log committed to is not what its events give', at);
    }
  }

  #report(reference: HeldNote | undefined, agrees: boolean): Report {
    const { certificate, findings, held, options, policy } = this.#scene;
    const isOpen = this.#times.unbounded;
    return {
      exitCode: findings.exitCode,
      origin: policy.origin,
      ...(reference === undefined
        ? {}
        : {
            checkpoint: {
              size: reference.size,
              root: `sm3:${hex(reference.root)}`,
              time: new Date(reference.time * 1000).toISOString(),
            },
          }),
      coverage: {
        from: 0,
        to: agrees ? this.#size : 0,
        of: this.#size,
        unverifiedTail: agrees ? this.#seen - this.#size : this.#seen,
      },
      logKey: certificate.kid,
      witnesses: held.witnesses.map(({ name, time }) => ({ name, time: new Date(time * 1000).toISOString() })),
      counts: {
        subjects: this.#chains.subjects,
        'signed notes': held.notes.length,
        'tile files': this.#tiles?.compared ?? 0,
        [this.#index === undefined ? 'indexes not made anew' : 'indexes made anew']: this.#statements.length,
      },
      findings: findings.kept,
      findingCount: findings.count,
      warnings: [
        ...(options.policy === undefined ? ['the policy and the key in it come from the copy itself'] : []),
        ...(policy.quorum === 0 ? ['the policy asks for no witness'] : []),
        ...(isOpen === 0 ? [] : [`${isOpen} events have no lower bound for their time`]),
      ],
      ...(this.#fork === undefined ? {} : { fork: this.#fork }),
    };
  }
}
