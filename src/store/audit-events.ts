/** The audit log as flows see it: events are appended inside the transaction of what they tell about (audit-log 3.5). */
import { AUDIT_ACTIONS } from '../domain/audit/actions.ts';
import { chainsOf, encodeAuditEvent, rowMacMessage } from '../domain/audit/event.ts';
import type { AuditEventInput, ChainHead, EncodedEvent, SubjectName } from '../domain/audit/event.ts';
import { MAX_SUBJECTS, subjectKey, type SubjectType } from '../domain/audit/record.ts';
import { KmcError } from '../errors.ts';
import type {
  AuditAppender,
  AuditReceipt,
  AuditRowMac,
  DatedEvent,
  RowMac,
  VerifiedCheckpoint,
} from '../flows/ports/audit.ts';
import { StoredAuditReader } from './audit-reader.ts';
import { byCount, type Binding, type Sql } from './sql.ts';
import { blob, integer, optional, ROWS_TOGETHER, text } from './table.ts';

export interface AuditSettings {
  /** Name of the log, e.g. `kmc.example.org/audit/2026`. */
  readonly origin: string;
  readonly rowMac: AuditRowMac;
  readonly verified: VerifiedCheckpoint;
}

/** Subjects in one statement at most. */
const SUBJECTS_TOGETHER = MAX_SUBJECTS * ROWS_TOGETHER;
/** Takes the heads of the chains, making those that are new; each stays locked until the transaction ends. */
const TAKE_HEADS = byCount(
  SUBJECTS_TOGETHER,
  (rows) => `insert into audit_subject_head (type, tag, next_n) values ${rows('(?, ?, 0)')}
   on conflict (type, tag) do update set next_n = audit_subject_head.next_n returning type, tag, next_n, last_leaf`,
);
const EVENTS = byCount(
  ROWS_TOGETHER,
  (rows) => `insert into audit_event (id, ts, cls, act, ph, ref, outcome, canon, leaf, mac, mac_version)
   values ${rows('(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')}`,
);
const SUBJECTS = byCount(
  SUBJECTS_TOGETHER,
  (rows) => `insert into audit_event_subject (type, tag, n, event_id) values ${rows('(?, ?, ?, ?)')}`,
);
/** One event with its subjects in one round trip to the server; SQLite has no such statement, and no round trips. */
const EVENT_WITH_SUBJECTS = byCount(
  MAX_SUBJECTS,
  (rows) => `with event as (${EVENTS(1)})
   insert into audit_event_subject (type, tag, n, event_id) values ${rows('(?, ?, ?, ?)')}`,
);
const OPENING = 'insert into audit_opening (event_id, field, salt, value) values (?, ?, ?, ?)';

interface WrittenEvent {
  readonly encoded: EncodedEvent;
  readonly mac: RowMac | undefined;
}

export class StoredAudit extends StoredAuditReader implements AuditAppender {
  readonly #sql: Sql;
  readonly #settings: AuditSettings | undefined;
  readonly #receipts: AuditReceipt[] = [];

  constructor(sql: Sql, settings: AuditSettings | undefined) {
    super(sql);
    this.#sql = sql;
    this.#settings = settings;
  }

  receipts(): readonly AuditReceipt[] {
    return [...this.#receipts];
  }

  async append(event: AuditEventInput, at: Date): Promise<AuditReceipt> {
    const [receipt] = await this.appendAll([{ event, at }]);
    if (receipt === undefined) throw new KmcError('E_INTERNAL', 'An audit event got no receipt.');
    return receipt;
  }

  async appendAll(events: readonly DatedEvent[]): Promise<readonly AuditReceipt[]> {
    const settings = this.#settings;
    if (settings === undefined) throw new KmcError('E_AUDIT', 'This process was opened without an audit log.');
    const heads = await this.#takeHeads(events.flatMap(({ event }) => chainsOf(event)));
    const written: WrittenEvent[] = [];
    for (const { event, at } of events) written.push(await this.#encode(settings, event, at, heads));
    await this.#insert(written);
    const receipts = written.map(({ encoded }) => receiptOf(encoded));
    this.#receipts.push(...receipts);
    return receipts;
  }

  /** The event at its place in the chains, which go on from it. */
  async #encode(
    settings: AuditSettings,
    event: AuditEventInput,
    at: Date,
    heads: Map<string, ChainHead>,
  ): Promise<WrittenEvent> {
    const checkpoint = settings.verified.newest(at);
    const encoded = encodeAuditEvent(event, {
      log: settings.origin,
      at,
      heads,
      ...(checkpoint === undefined ? {} : { checkpoint }),
    });
    const mac = await settings.rowMac.compute(rowMacMessage(encoded.leaf, event.id));
    if (mac === undefined) await this.#requireUnsealed(event);
    for (const link of encoded.record.subj) {
      heads.set(subjectKey(link), { nextN: link.n + 1, lastLeaf: encoded.leaf });
    }
    return { encoded, mac };
  }

  async #takeHeads(chains: readonly SubjectName[]): Promise<Map<string, ChainHead>> {
    const distinct = new Map(chains.map((chain) => [subjectKey(chain), chain]));
    // Everybody takes them in one order.
    const keys = [...distinct.keys()].sort();
    const names = keys.flatMap((key) => distinct.get(key) ?? []).flatMap(({ t, tag }) => [t, tag]);
    const records = await this.#sql.all(TAKE_HEADS(keys.length), ...names);
    return new Map(
      records.map((record) => [
        subjectKey({ t: text.decode(record['type']), tag: text.decode(record['tag']) }),
        { nextN: integer.decode(record['next_n']), lastLeaf: optional(blob).decode(record['last_leaf']) },
      ]),
    );
  }

  /** See sequenceAuditEvents, which lets in the same rows. */
  async #requireUnsealed({ action }: AuditEventInput): Promise<void> {
    if (AUDIT_ACTIONS[action].whileSealed || (await this.size()) === 0) return;
    throw new KmcError('E_SEALED', 'The keystore is sealed, so this act cannot be recorded. Unseal it first.');
  }

  async #insert(written: readonly WrittenEvent[]): Promise<void> {
    const events = written.flatMap(eventBindings);
    const subjects = written.flatMap(({ encoded: { record } }) =>
      record.subj.flatMap(({ t, tag, n }): Binding[] => [t, tag, n, record.id]),
    );
    const links = subjects.length / SUBJECT_COLUMNS;
    if (this.#sql.dialect.engine === 'postgresql' && written.length === 1) {
      await this.#sql.run(EVENT_WITH_SUBJECTS(links), ...events, ...subjects);
    } else {
      await this.#sql.run(EVENTS(written.length), ...events);
      await this.#sql.run(SUBJECTS(links), ...subjects);
    }
    for (const { encoded } of written) {
      const { id } = encoded.record;
      for (const { field, salt, value } of encoded.openings) await this.#sql.run(OPENING, id, field, salt, value);
    }
  }
}

const SUBJECT_COLUMNS = 4;

function eventBindings({ encoded: { record, canon, leaf }, mac }: WrittenEvent): Binding[] {
  const { id, ts, cls, act, ph, ref, out } = record;
  return [id, ts, cls, act, ph, ref ?? null, out, canon, leaf, mac?.mac ?? null, mac?.version ?? null];
}

function receiptOf({ record, leaf }: EncodedEvent): AuditReceipt {
  return {
    eventId: record.id,
    leaf: `sm3:${leaf.toString('hex')}`,
    subjects: record.subj.map(({ t, tag, n }): { type: SubjectType; id: string; n: number } => ({
      type: t,
      id: tag,
      n,
    })),
  };
}
