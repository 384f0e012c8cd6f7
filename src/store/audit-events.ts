/** The audit log as flows see it: events are appended inside the transaction of what they tell about (audit-log 3.5). */
import { AUDIT_ACTIONS } from '../domain/audit/actions.ts';
import { chainsOf, encodeAuditEvent, rowMacMessage } from '../domain/audit/event.ts';
import type { AuditEventInput, ChainHead, EncodedEvent, SubjectName } from '../domain/audit/event.ts';
import { MAX_SUBJECTS, subjectKey, type SubjectType } from '../domain/audit/record.ts';
import { KmcError } from '../errors.ts';
import type { AuditAppender, AuditReceipt, AuditRowMac, RowMac, VerifiedCheckpoint } from '../flows/ports/audit.ts';
import { StoredAuditReader } from './audit-reader.ts';
import type { Binding, Sql } from './sql.ts';
import { blob, integer, optional, text } from './table.ts';

export interface AuditSettings {
  /** Name of the log, e.g. `kmc.example.org/audit/2026`. */
  readonly origin: string;
  readonly rowMac: AuditRowMac;
  readonly verified: VerifiedCheckpoint;
}

/** The statements for 1 to MAX_SUBJECTS rows, made once so that each is prepared once. */
function byCount(statement: (rows: (row: string) => string) => string): (count: number) => string {
  const made = Array.from({ length: MAX_SUBJECTS }, (_, at) =>
    statement((row) => Array.from({ length: at + 1 }, () => row).join(', ')),
  );
  return (count) => made[count - 1] ?? '';
}

/** Takes the heads of the chains, making those that are new; each stays locked until the transaction ends. */
const TAKE_HEADS = byCount(
  (rows) => `insert into audit_subject_head (type, tag, next_n) values ${rows('(?, ?, 0)')}
   on conflict (type, tag) do update set next_n = audit_subject_head.next_n returning type, tag, next_n, last_leaf`,
);
const EVENT = `insert into audit_event (id, ts, cls, act, ph, ref, outcome, canon, leaf, mac, mac_version)
   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const SUBJECTS = byCount(
  (rows) => `insert into audit_event_subject (type, tag, n, event_id) values ${rows('(?, ?, ?, ?)')}`,
);
/** Both in one round trip to the server; SQLite has no such statement, and no round trips. */
const EVENT_WITH_SUBJECTS = byCount(
  (rows) => `with event as (${EVENT})
   insert into audit_event_subject (type, tag, n, event_id) values ${rows('(?, ?, ?, ?)')}`,
);
const OPENING = 'insert into audit_opening (event_id, field, salt, value) values (?, ?, ?, ?)';

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
    const settings = this.#settings;
    if (settings === undefined) throw new KmcError('E_AUDIT', 'This process was opened without an audit log.');
    const checkpoint = settings.verified.newest(at);
    const encoded = encodeAuditEvent(event, {
      log: settings.origin,
      at,
      heads: await this.#takeHeads(chainsOf(event)),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    });
    const mac = await settings.rowMac.compute(rowMacMessage(encoded.leaf, event.id));
    if (mac === undefined) await this.#requireUnsealed(event);
    await this.#insert(encoded, mac);
    const receipt = receiptOf(encoded);
    this.#receipts.push(receipt);
    return receipt;
  }

  async #takeHeads(chains: readonly SubjectName[]): Promise<Map<string, ChainHead>> {
    const records = await this.#sql.all(TAKE_HEADS(chains.length), ...chains.flatMap(({ t, tag }) => [t, tag]));
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

  async #insert({ record, canon, leaf, openings }: EncodedEvent, mac: RowMac | undefined): Promise<void> {
    const { id, subj } = record;
    const event: Binding[] = [
      id,
      record.ts,
      record.cls,
      record.act,
      record.ph,
      record.ref ?? null,
      record.out,
      canon,
      leaf,
    ];
    event.push(mac?.mac ?? null, mac?.version ?? null);
    const subjects = subj.flatMap(({ t, tag, n }): Binding[] => [t, tag, n, id]);
    if (this.#sql.dialect.engine === 'postgresql') {
      await this.#sql.run(EVENT_WITH_SUBJECTS(subj.length), ...event, ...subjects);
    } else {
      await this.#sql.run(EVENT, ...event);
      await this.#sql.run(SUBJECTS(subj.length), ...subjects);
    }
    for (const { field, salt, value } of openings) await this.#sql.run(OPENING, id, field, salt, value);
  }
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
