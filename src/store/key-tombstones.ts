import type { KeyTombstoneRow, KeyTombstoneWriter } from '../flows/ports/key-tombstones.ts';
import type { Sql } from './sql.ts';
import { Table, text, time, type Columns } from './table.ts';

const COLUMNS: Columns<KeyTombstoneRow> = {
  keyId: text,
  evidence: text,
  evidenceSm3: text,
  destroyedAt: time,
  auditEvent: text,
};

/** One table for each kind of key that leaves tombstones. */
const TABLES = {
  escrowed: new Table('key_tombstones', COLUMNS),
  managed: new Table('managed_key_tombstones', COLUMNS),
};

export class StoredKeyTombstones implements KeyTombstoneWriter {
  readonly #sql: Sql;
  readonly #table: Table<KeyTombstoneRow>;

  constructor(sql: Sql, of: keyof typeof TABLES) {
    this.#sql = sql;
    this.#table = TABLES[of];
  }

  find(keyId: string): Promise<KeyTombstoneRow | undefined> {
    return this.#table.find(this.#sql, 'where key_id = ?', keyId);
  }

  insert(row: KeyTombstoneRow): Promise<void> {
    return this.#table.insertAll(this.#sql, [row]);
  }
}
