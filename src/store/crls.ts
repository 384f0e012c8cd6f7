import type { CrlFacts, CrlRow, CrlWriter } from '../flows/ports/crls.ts';
import type { Sql } from './sql.ts';
import { blob, integer, natural, Table, text, time, word, type Columns } from './table.ts';

const FACTS: Columns<CrlFacts> = {
  authorityId: text,
  scope: text,
  number: natural,
  crlSm3: text,
  entries: integer,
  thisUpdate: time,
  nextUpdate: time,
  source: word<CrlRow['source']>(),
};
const CRLS = new Table<CrlRow>('crls', { ...FACTS, crl: blob });
const CRL_FACTS = new Table<CrlFacts>('crls', FACTS);

/** Decimal text without leading zeros: the longer is the greater. */
const NEWEST = 'where authority_id = ? and scope = ? order by length(number) desc, number desc limit 1';

export class StoredCrls implements CrlWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  latest(authorityId: string, scope: string): Promise<CrlRow | undefined> {
    return CRLS.find(this.#sql, NEWEST, authorityId, scope);
  }

  latestFacts(authorityId: string, scope: string): Promise<CrlFacts | undefined> {
    return CRL_FACTS.find(this.#sql, NEWEST, authorityId, scope);
  }

  async scopes(authorityId: string): Promise<string[]> {
    const records = await this.#sql.all(
      'select distinct scope from crls where authority_id = ? order by scope',
      authorityId,
    );
    return records.map(({ scope }) => text.decode(scope));
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
