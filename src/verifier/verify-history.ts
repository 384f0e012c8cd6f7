/**
 * Verifies a history file: that its events are in the signed tree, that each continues the one before, and that there is
 * no other. Up to the size of the index by the entry of the key in it (or by the two neighbours that leave no room for
 * one), behind it by looking at every leaf.
 */
import { readLogCertificate, type LogCertificate } from './certificate.ts';
import { Chains, Times } from './events.ts';
import { EXIT, Findings } from './findings.ts';
import { parseHistory, type HistoryFile, type IndexEntry } from './history-file.ts';
import { entryText, indexStatement, type IndexStatement } from './history-index.ts';
import { holdNotes, type HeldNote, type HeldNotes } from './notes.ts';
import { equal, hex, utf8 } from './octets.ts';
import { parsePolicy, type Policy } from './policy.ts';
import { keysOf, parseEvent, type AuditEvent } from './record.ts';
import { notBegun, type Report } from './report.ts';
import { isIncluded, leafHash, subtreesOf, Tree } from './tree.ts';
import type { Pinned } from './verify-log.ts';

export interface HistoryOptions {
  /** The auditor's own policy file. Without it the key in the file itself is trusted, and the report says so. */
  readonly policy?: string;
  /** An earlier state, or what another file of the same day was verified against. */
  readonly pinned?: Pinned;
}

export interface ProvenEvent {
  readonly index: number;
  readonly event: AuditEvent;
}

export interface HistoryReport extends Report {
  /** `<type> <id>` of what the history is of. */
  readonly key: string;
  readonly period: { readonly from?: string; readonly to?: string };
  /** The whole history; all of it is proven when the exit code is 0. */
  readonly events: readonly ProvenEvent[];
  /** Those of the period that was asked for. */
  readonly inPeriod: readonly ProvenEvent[];
}

/** Exit codes as for a whole log; 14 for every way in which the history is not complete. */
export function verifyHistory(json: string, options: HistoryOptions = {}): HistoryReport {
  const file = parseHistory(json);
  const none = { key: file?.key ?? '-', period: file?.period ?? {}, events: [], inPeriod: [] };
  if (file === undefined) return { ...notBegun(EXIT.malformed, 'the file is no history of this form'), ...none };
  const certificate = readLogCertificate(file.certificate);
  if (certificate === undefined) {
    return { ...notBegun(EXIT.malformed, 'the certificate is none of an SM2 key'), ...none };
  }
  const policy = options.policy === undefined ? trusting(file, certificate) : parsePolicy(options.policy);
  if (policy === undefined) return { ...notBegun(EXIT.usage, 'the policy file does not have its form'), ...none };
  const findings = new Findings();
  const held = holdNotes(file.checkpoint, [], certificate, policy, findings);
  const run = new HistoryRun({ file, options, policy, certificate, held, findings });
  return run.report();
}

/** Without a policy of the auditor's: whatever key the file brings. */
function trusting(file: HistoryFile, certificate: LogCertificate): Policy {
  const [origin = ''] = file.checkpoint.split('\n');
  return { origin, logKey: certificate.kid, clockSkew: 5, maxDelay: 86_400, witnesses: [], quorum: 0 };
}

interface Scene {
  readonly file: HistoryFile;
  readonly options: HistoryOptions;
  readonly policy: Policy;
  readonly certificate: LogCertificate;
  readonly held: HeldNotes;
  readonly findings: Findings;
}

class HistoryRun {
  readonly #scene: Scene;
  /** Everything under the key, in the order of the tree. */
  readonly #events: (ProvenEvent & { readonly leaf: Uint8Array })[] = [];
  readonly #statements: IndexStatement[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    const { reference } = scene.held;
    if (reference === undefined) return;
    if (reference.size === 0) scene.findings.add(EXIT.undecided, 'there is nothing to check');
    else if (this.#isTreeGiven(reference)) this.#checkAll(reference);
    this.#comparePinned(reference);
  }

  report(): HistoryReport {
    const { certificate, file, findings, held, options, policy } = this.#scene;
    const { key, period, tail } = file;
    const size = held.reference?.size ?? 0;
    const events = this.#events.map(({ index, event }) => ({ index, event }));
    const isIn = ({ event: { ts } }: ProvenEvent): boolean =>
      (period.from === undefined || Date.parse(ts) >= Date.parse(period.from)) &&
      (period.to === undefined || Date.parse(ts) <= Date.parse(period.to));
    const isProven = findings.exitCode === EXIT.ok;
    return {
      key,
      period,
      events,
      inPeriod: events.filter(isIn),
      exitCode: findings.exitCode,
      origin: policy.origin,
      ...(held.reference === undefined ? {} : { checkpoint: checkpointOf(held.reference) }),
      coverage: { from: 0, to: isProven ? size : 0, of: size, unverifiedTail: isProven ? 0 : events.length },
      logKey: certificate.kid,
      witnesses: held.witnesses.map(({ name, time }) => ({ name, time: new Date(time * 1000).toISOString() })),
      counts: {
        events: events.length,
        'of them in the period': events.filter(isIn).length,
        'leaves looked at': tail.events.length,
      },
      findings: findings.kept,
      findingCount: findings.count,
      warnings: [
        ...(options.policy === undefined ? ['the key that signed comes from the file itself: compare it'] : []),
        ...(policy.quorum === 0 ? ['the policy asks for no witness'] : []),
        ...(file.index === undefined
          ? []
          : ['that the index was made rightly is checked on a whole copy: kmc audit verify --rederive-index']),
      ],
    };
  }

  /** The edge and all leaves behind it give the signed root. */
  #isTreeGiven({ size, root }: HeldNote): boolean {
    const { file, findings } = this.#scene;
    const { from, edge, events } = file.tail;
    if (from + events.length !== size || edge.length !== subtreesOf(from) || from !== (file.index?.size ?? 0)) {
      findings.add(EXIT.undecided, 'the file does not reach to its checkpoint');
      return false;
    }
    const tree = new Tree(from, edge);
    for (const canon of events) tree.append(leafHash(utf8(canon)));
    const agrees = equal(tree.root(), root);
    if (!agrees) findings.add(EXIT.content, 'the leaves behind the index do not give the signed root');
    return agrees;
  }

  #checkAll(reference: HeldNote): void {
    const { file } = this.#scene;
    for (const { index, canon, proof } of file.events) {
      const leaf = leafHash(utf8(canon));
      const isThere = isIncluded({ index, size: reference.size, leaf, root: reference.root, proof });
      if (!isThere) this.#incomplete('an event is not in the signed tree', index);
      if (index >= file.tail.from) this.#incomplete('an event of the tail is listed apart', index);
      const event = this.#read(canon, index);
      if (event === undefined) continue;
      if (keysOf(event).includes(file.key)) this.#events.push({ index, event, leaf });
      else this.#incomplete('an event is about something else', index);
    }
    for (const [at, canon] of file.tail.events.entries()) this.#lookAt(file.tail.from + at, canon);
    this.#checkIndex();
    this.#checkChain(reference);
  }

  /** A leaf behind the index: is it under the key, does it state the index? */
  #lookAt(index: number, canon: string): void {
    const event = this.#read(canon, index);
    if (event === undefined) return;
    const statement = indexStatement(event);
    if (statement !== undefined) this.#statements.push(statement);
    if (keysOf(event).includes(this.#scene.file.key)) this.#events.push({ index, event, leaf: leafHash(utf8(canon)) });
  }

  #read(canon: string, index: number): AuditEvent | undefined {
    const event = parseEvent(utf8(canon));
    if (typeof event !== 'string') return event;
    this.#scene.findings.add(EXIT.malformed, event, index);
    return undefined;
  }

  /** That below the size of the index there are exactly the events of the file. */
  #checkIndex(): void {
    const { events, index, key } = this.#scene.file;
    if (index === undefined) {
      if (events.length > 0) this.#incomplete('events are listed apart from the whole log');
      return;
    }
    const statement = this.#statements.find(({ size }) => size === index.size);
    if (statement === undefined) {
      this.#incomplete('the log does not state the index that the file shows');
      return;
    }
    if (!index.entries.every((entry) => isStated(entry, statement))) {
      this.#incomplete('an entry is not in the index that the log stated');
    }
    const places = events.map((event) => event.index);
    const [first, second] = index.entries;
    if (places.length > 0) {
      const isWhole = index.entries.length === 1 && first?.entry === entryText(key, places);
      if (!isWhole) this.#incomplete('the index knows of other events than the file shows');
    } else if (!leavesNoRoom(key, first, second, statement.entries)) {
      this.#incomplete('that the index has no entry of this key is not shown');
    }
  }

  #checkChain({ size }: HeldNote): void {
    const { file, findings, held, policy } = this.#scene;
    const isSubject = !/^(?:actor|term) /.test(file.key);
    const chains = new Chains(policy.origin, findings);
    const times = new Times(held.notes, policy, findings);
    let previous = -1;
    for (const { index, event, leaf } of this.#events) {
      if (index <= previous || index >= size) this.#incomplete('the events are not in the order of the tree', index);
      previous = index;
      const own = event.subj.filter(({ t, tag }) => `${t} ${tag}` === file.key);
      chains.check(index, { ...event, subj: isSubject ? own : [] }, leaf);
      times.check(index, event);
    }
  }

  #comparePinned(reference: HeldNote): void {
    const { findings, options } = this.#scene;
    const { pinned } = options;
    if (pinned === undefined) return;
    if (pinned.origin !== reference.origin) findings.add(EXIT.malformed, 'the pinned state is of another log');
    else if (pinned.size > reference.size) findings.add(EXIT.rollback, `${pinned.size} events were verified before`);
    else if (pinned.size === reference.size && pinned.root !== `sm3:${hex(reference.root)}`) {
      findings.add(EXIT.fork, 'the log is another one than that which was verified before');
    }
  }

  #incomplete(what: string, index?: number): void {
    this.#scene.findings.add(EXIT.history, what, index);
  }
}

function isStated({ position, entry, proof }: IndexEntry, { entries, root }: IndexStatement): boolean {
  const stated = Uint8Array.from(root.slice('sm3:'.length).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return isIncluded({ index: position, size: entries, leaf: leafHash(utf8(entry)), root: stated, proof });
}

/** True when the two entries are neighbours, or one of them an end, and the key would stand between. */
function leavesNoRoom(
  key: string,
  first: IndexEntry | undefined,
  second: IndexEntry | undefined,
  size: number,
): boolean {
  if (first === undefined) return false;
  const keyOf = ({ entry }: IndexEntry): string => entry.slice(0, entry.indexOf('\n'));
  if (second !== undefined) {
    return second.position === first.position + 1 && keyOf(first) < key && key < keyOf(second);
  }
  const isBefore = first.position === 0 && key < keyOf(first);
  return isBefore || (first.position === size - 1 && keyOf(first) < key);
}

function checkpointOf({ size, root, time }: HeldNote): NonNullable<Report['checkpoint']> {
  return { size, root: `sm3:${hex(root)}`, time: new Date(time * 1000).toISOString() };
}
