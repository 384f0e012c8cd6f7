import type { KeyTombstoneRow, KeyTombstoneWriter } from '../flows/ports/key-tombstones.ts';
import type { Sql } from './sql.ts';
import { Table, text, time } from './table.ts';

const TOMBSTONES = new Table<KeyTombstoneRow>('key_tombstones', {
  keyId: text,
  evidence: text,
  evidenceSm3: text,
  destroyedAt: time,
  auditEvent: text,
});

export class StoredKeyTombstones implements KeyTombstoneWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(keyId: string): Promise<KeyTombstoneRow | undefined> {
    return TOMBSTONES.find(this.#sql, 'where key_id = ?', keyId);
  }

  insert(row: KeyTombstoneRow): Promise<void> {
    return TOMBSTONES.insertAll(this.#sql, [row]);
  }
}
