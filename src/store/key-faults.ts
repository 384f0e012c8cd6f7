import type { ErrorCode } from '../errors.ts';
import type { KeyFaultRow, KeyFaultWriter } from '../flows/ports/key-faults.ts';
import type { Sql } from './sql.ts';
import { integer, Table, text, time, won, word } from './table.ts';

const FAULTS = new Table<KeyFaultRow>('key_faults', {
  keyId: text,
  code: word<ErrorCode>(),
  foundAt: time,
  auditEvent: text,
});

export class StoredKeyFaults implements KeyFaultWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(keyId: string): Promise<KeyFaultRow | undefined> {
    return FAULTS.find(this.#sql, 'where key_id = ?', keyId);
  }

  list(limit: number): Promise<KeyFaultRow[]> {
    return FAULTS.all(this.#sql, 'order by found_at, key_id limit ?', limit);
  }

  async count(): Promise<number> {
    const [record = {}] = await this.#sql.all('select count(*) as count from key_faults');
    return integer.decode(record['count']);
  }

  insert(row: KeyFaultRow): Promise<boolean> {
    return FAULTS.insert(this.#sql, row);
  }

  clear(keyId: string): Promise<boolean> {
    return won(this.#sql.run('delete from key_faults where key_id = ?', keyId));
  }
}
