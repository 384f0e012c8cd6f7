import type { CaKmcExchangeRow, CaKmcExchangeWriter } from '../flows/ports/ca-kmc-exchanges.ts';
import type { Sql } from './sql.ts';
import { blob, optional, Table, text, time } from './table.ts';

const EXCHANGES = new Table<CaKmcExchangeRow>('ca_kmc_exchanges', {
  authorityId: text,
  requestSm3: text,
  request: blob,
  response: optional(blob),
  answeredAt: time,
  eraseAt: time,
});

export class StoredCaKmcExchanges implements CaKmcExchangeWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(authorityId: string, requestSm3: string): Promise<CaKmcExchangeRow | undefined> {
    return EXCHANGES.find(this.#sql, 'where authority_id = ? and request_sm3 = ?', authorityId, requestSm3);
  }

  insert(row: CaKmcExchangeRow): Promise<boolean> {
    return EXCHANGES.insert(this.#sql, row);
  }

  eraseDue(now: Date): Promise<number> {
    return this.#sql.run(
      'update ca_kmc_exchanges set response = null where response is not null and erase_at <= ?',
      time.encode(now),
    );
  }
}
