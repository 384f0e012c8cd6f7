import type { BlockedKeyRow, BlockedKeyWriter } from '../flows/ports/blocked-keys.ts';
import type { Sql } from './sql.ts';
import { Table, text, time } from './table.ts';

const BLOCKED_KEYS = new Table<BlockedKeyRow>('blocked_keys', {
  spkiSm3: text,
  reason: text,
  blockedAt: time,
  auditEvent: text,
});

export class StoredBlockedKeys implements BlockedKeyWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(spkiSm3: string): Promise<BlockedKeyRow | undefined> {
    return BLOCKED_KEYS.find(this.#sql, 'where spki_sm3 = ?', spkiSm3);
  }

  insert(row: BlockedKeyRow): Promise<boolean> {
    return BLOCKED_KEYS.insert(this.#sql, row);
  }
}
