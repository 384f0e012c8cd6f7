import type { StoredCheckpoint } from '../flows/ports/audit.ts';
import type { CosignatureRow, CosignatureWriter } from '../flows/ports/audit-cosignatures.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, integer, Table, text, time } from './table.ts';

const COSIGNATURES = new Table<CosignatureRow>('audit_cosignatures', {
  checkpointTime: integer,
  name: text,
  personId: text,
  spkiSm3: text,
  line: text,
  receivedAt: time,
  auditEvent: text,
});
const NEWEST = `select size, time, note from audit_checkpoint
   where (select count(distinct spki_sm3) from audit_cosignatures where checkpoint_time = audit_checkpoint.time) >= ?
   and time in (select checkpoint_time from audit_cosignatures) order by time desc limit 1`;

export class StoredCosignatures implements CosignatureWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  of(checkpointTime: number): Promise<CosignatureRow[]> {
    return COSIGNATURES.all(this.#sql, 'where checkpoint_time = ? order by received_at, name', checkpointTime);
  }

  async newest(keys: number): Promise<StoredCheckpoint | undefined> {
    const [record] = await this.#sql.all(NEWEST, keys);
    return record === undefined ? undefined : decodeRecord({ size: integer, time: integer, note: text }, record);
  }

  insert(row: CosignatureRow): Promise<boolean> {
    return COSIGNATURES.insert(this.#sql, row);
  }
}
