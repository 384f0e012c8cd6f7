import type { SubjectType } from '../domain/audit/record.ts';
import { KmcError } from '../errors.ts';
import type {
  AuditEntry,
  AuditEventColumns,
  AuditEventRow,
  AuditReader,
  AuditTile,
  StoredCheckpoint,
} from '../flows/ports/audit.ts';
import type { Sql, SqlRecord } from './sql.ts';
import { blob, decodeRecord, integer, optional, text, type Columns } from './table.ts';

const MAX_ROWS = 10_000;
const MAX_HASHES = 100_000;

const EVENT_ROWS = `select event.id, event.canon, event.leaf, place.idx
   from audit_event event left join audit_leaf place on place.event_id = event.id`;
const COLUMNS = `select place.idx as "index", event.id, event.ts, event.cls, event.act, event.ph, event.ref, event.outcome
   from audit_leaf place join audit_event event on event.id = place.event_id
   where place.idx >= ? order by place.idx limit ?`;
const COLUMN_KINDS: Columns<AuditEventColumns> = {
  index: integer,
  id: text,
  ts: text,
  cls: text,
  act: text,
  ph: text,
  ref: optional(text),
  outcome: text,
};
const HISTORY = `select event.id, event.canon, event.leaf, place.idx
   from audit_event_subject subject join audit_event event on event.id = subject.event_id
   left join audit_leaf place on place.event_id = event.id
   where subject.type = ? and subject.tag = ? and subject.n >= ? order by subject.n limit ?`;

/** What has been written to the log, and the tree over it. */
export class StoredAuditReader implements AuditReader {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  size(): Promise<number> {
    return treeSize(this.#sql);
  }

  pending(): Promise<number> {
    return this.#count('select count(*) as found from audit_pending');
  }

  quarantined(): Promise<number> {
    return this.#count('select count(*) as found from audit_quarantine');
  }

  written(): Promise<number> {
    return this.#count('select count(*) as found from audit_event');
  }

  async entries(from: number, limit: number): Promise<AuditEntry[]> {
    const records = await this.#sql.all(
      `select place.idx, event.id, event.canon, place.leaf from audit_leaf place
       join audit_event event on event.id = place.event_id where place.idx >= ? order by place.idx limit ?`,
      from,
      within(limit, MAX_ROWS),
    );
    return records.map(auditEntry);
  }

  async columns(from: number, limit: number): Promise<AuditEventColumns[]> {
    const records = await this.#sql.all(COLUMNS, from, within(limit, MAX_ROWS));
    return records.map((record) => decodeRecord(COLUMN_KINDS, record));
  }

  async find(eventId: string): Promise<AuditEventRow | undefined> {
    const [record] = await this.#sql.all(`${EVENT_ROWS} where event.id = ?`, eventId);
    return record === undefined ? undefined : eventRow(record);
  }

  async history(type: SubjectType, id: string, from: number, limit: number): Promise<AuditEventRow[]> {
    return (await this.#sql.all(HISTORY, type, id, from, within(limit, MAX_ROWS))).map(eventRow);
  }

  leaves(from: number, limit: number): Promise<Buffer[]> {
    return leafHashes(this.#sql, from, within(limit, MAX_HASHES));
  }

  async tile(level: number, index: number): Promise<AuditTile | undefined> {
    const [record] = await this.#sql.all(
      'select hashes, root from audit_tile where level = ? and idx = ?',
      level,
      index,
    );
    if (record === undefined) return undefined;
    return { level, index, hashes: blob.decode(record['hashes']), root: blob.decode(record['root']) };
  }

  tileRoots(level: number, from: number, limit: number): Promise<Buffer[]> {
    return rootsOfTiles(this.#sql, level, from, within(limit, MAX_HASHES));
  }

  async newestCheckpoint(): Promise<StoredCheckpoint | undefined> {
    const [record] = await this.#sql.all('select size, time, note from audit_checkpoint order by time desc limit 1');
    return record === undefined ? undefined : checkpoint(record);
  }

  async checkpointsAfter(time: number, limit: number): Promise<StoredCheckpoint[]> {
    const records = await this.#sql.all(
      'select size, time, note from audit_checkpoint where time > ? order by time limit ?',
      time,
      within(limit, MAX_ROWS),
    );
    return records.map(checkpoint);
  }

  async checkpointOver(size: number): Promise<StoredCheckpoint | undefined> {
    const statement = 'select size, time, note from audit_checkpoint where size >= ? order by size, time limit 1';
    const [record] = await this.#sql.all(statement, size);
    return record === undefined ? undefined : checkpoint(record);
  }

  async #count(statement: string): Promise<number> {
    const [record] = await this.#sql.all(statement);
    return integer.decode(record?.['found']);
  }
}

/** How many leaves the tree has: indexes are dense from 0. */
export async function treeSize(sql: Sql): Promise<number> {
  const [record] = await sql.all('select coalesce(max(idx) + 1, 0) as size from audit_leaf');
  return integer.decode(record?.['size']);
}

/** Leaf hashes from index `from`, at most `limit`. */
export async function leafHashes(sql: Sql, from: number, limit: number): Promise<Buffer[]> {
  const records = await sql.all('select leaf from audit_leaf where idx >= ? order by idx limit ?', from, limit);
  return records.map((record) => blob.decode(record['leaf']));
}

/** Roots of the full tiles of a level from index `from`, at most `limit`. */
export async function rootsOfTiles(sql: Sql, level: number, from: number, limit: number): Promise<Buffer[]> {
  const statement = 'select root from audit_tile where level = ? and idx >= ? order by idx limit ?';
  return (await sql.all(statement, level, from, limit)).map((record) => blob.decode(record['root']));
}

/** An event with its place, from a record with idx, id, canon and leaf. */
export function auditEntry(record: SqlRecord): AuditEntry {
  return {
    index: integer.decode(record['idx']),
    eventId: text.decode(record['id']),
    canon: blob.decode(record['canon']),
    leaf: blob.decode(record['leaf']),
  };
}

function eventRow(record: SqlRecord): AuditEventRow {
  return {
    eventId: text.decode(record['id']),
    canon: blob.decode(record['canon']),
    leaf: blob.decode(record['leaf']),
    index: optional(integer).decode(record['idx']),
  };
}

function checkpoint(record: SqlRecord): StoredCheckpoint {
  return {
    size: integer.decode(record['size']),
    time: integer.decode(record['time']),
    note: text.decode(record['note']),
  };
}

function within(limit: number, most: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit;
  throw new KmcError('E_SCHEMA', `The limit of a list is a number from 1 to ${most}.`);
}
