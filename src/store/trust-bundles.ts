import type { TrustBundleRow, TrustBundleWriter } from '../flows/ports/trust-bundles.ts';
import type { Sql } from './sql.ts';
import { blob, integer, Table, text, time } from './table.ts';

const TRUST_BUNDLES = new Table<TrustBundleRow>('trust_bundles', {
  bundle: text,
  version: integer,
  digest: text,
  manifest: blob,
  publishedBy: text,
  publishedAt: time,
  lastAuditEvent: text,
});

export class StoredTrustBundles implements TrustBundleWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  latest(bundle: string): Promise<TrustBundleRow | undefined> {
    return TRUST_BUNDLES.find(this.#sql, 'where bundle = ? order by version desc limit 1', bundle);
  }

  find(bundle: string, version: number): Promise<TrustBundleRow | undefined> {
    return TRUST_BUNDLES.find(this.#sql, 'where bundle = ? and version = ?', bundle, version);
  }

  from(bundle: string, from: number, limit: number): Promise<TrustBundleRow[]> {
    return TRUST_BUNDLES.all(
      this.#sql,
      'where bundle = ? and version >= ? order by version limit ?',
      bundle,
      from,
      limit,
    );
  }

  insert(row: TrustBundleRow): Promise<boolean> {
    return TRUST_BUNDLES.insert(this.#sql, row);
  }
}
