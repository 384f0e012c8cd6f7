import type { KeyAlgorithmName } from '../crypto/algorithm-names.ts';
import type { PoolName } from '../domain/key-pool.ts';
import type { BatchBalance, KeyBatchRow, KeyBatchWriter } from '../flows/ports/key-batches.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, integer, optional, Table, text, time, won, word, type Columns } from './table.ts';

const BATCHES = new Table<KeyBatchRow>('key_batches', {
  id: text,
  pool: word<PoolName>(),
  algorithm: word<KeyAlgorithmName>(),
  generator: text,
  selfTestedAt: time,
  kekVersion: integer,
  count: integer,
  node: text,
  createdAt: time,
  backupId: optional(text),
  releasedAt: optional(time),
  lastAuditEvent: text,
});

const BALANCE: Columns<BatchBalance> = { batchId: text, made: integer, found: integer };

export class StoredKeyBatches implements KeyBatchWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<KeyBatchRow | undefined> {
    return BATCHES.find(this.#sql, 'where id = ?', id);
  }

  waiting(pool: PoolName, madeUntil: Date, limit: number): Promise<KeyBatchRow[]> {
    return BATCHES.all(
      this.#sql,
      'where pool = ? and backup_id is null and created_at <= ? order by created_at, id limit ?',
      pool,
      time.encode(madeUntil),
      limit,
    );
  }

  newest(pool: PoolName, limit: number): Promise<KeyBatchRow[]> {
    return BATCHES.all(this.#sql, 'where pool = ? order by created_at desc, id desc limit ?', pool, limit);
  }

  async unbalanced(): Promise<BatchBalance[]> {
    const records = await this.#sql.all(
      `select b.id as batch_id, b.count as made, count(k.id) as found
       from key_batches b left join escrowed_keys k on k.batch_id = b.id
       group by b.id, b.count having count(k.id) <> b.count order by b.id`,
    );
    return records.map((record) => decodeRecord(BALANCE, record));
  }

  insert(row: KeyBatchRow): Promise<boolean> {
    return BATCHES.insert(this.#sql, row);
  }

  async release(id: string, backupId: string, at: Date, auditEvent: string): Promise<number | undefined> {
    const stated = await won(
      this.#sql.run(
        `update key_batches set backup_id = ?, released_at = ?, last_audit_event = ?
         where id = ? and backup_id is null`,
        backupId,
        time.encode(at),
        auditEvent,
        id,
      ),
    );
    if (!stated) return undefined;
    return this.#sql.run(
      `update escrowed_keys set state = 'spare', version = version + 1, changed_at = ?, last_audit_event = ?
       where batch_id = ? and state = 'generated'`,
      time.encode(at),
      auditEvent,
      id,
    );
  }
}
