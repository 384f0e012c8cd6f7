import type { CrlRow, CrlWriter } from '../flows/ports/crls.ts';
import type { Sql } from './sql.ts';
import { blob, integer, natural, Table, text, time, word } from './table.ts';

const CRLS = new Table<CrlRow>('crls', {
  authorityId: text,
  scope: text,
  number: natural,
  crl: blob,
  crlSm3: text,
  entries: integer,
  thisUpdate: time,
  nextUpdate: time,
  source: word<CrlRow['source']>(),
});

export class StoredCrls implements CrlWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  latest(authorityId: string, scope: string): Promise<CrlRow | undefined> {
    // Decimal text without leading zeros: the longer is the greater.
    return CRLS.find(
      this.#sql,
      'where authority_id = ? and scope = ? order by length(number) desc, number desc limit 1',
      authorityId,
      scope,
    );
  }

  find(authorityId: string, scope: string, number: bigint): Promise<CrlRow | undefined> {
    return CRLS.find(
      this.#sql,
      'where authority_id = ? and scope = ? and number = ?',
      authorityId,
      scope,
      natural.encode(number),
    );
  }

  insert(row: CrlRow): Promise<boolean> {
    return CRLS.insert(this.#sql, row);
  }
}
