import type { NonceWriter } from '../flows/ports/nonces.ts';
import type { Sql } from './sql.ts';
import { Table, text, time } from './table.ts';

interface NonceRow {
  readonly keyId: string;
  readonly nonce: string;
  readonly expiresAt: Date;
}

const NONCES = new Table<NonceRow>('nonces', { keyId: text, nonce: text, expiresAt: time });

export class StoredNonces implements NonceWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  use(keyId: string, nonce: string, expiresAt: Date): Promise<boolean> {
    return NONCES.insert(this.#sql, { keyId, nonce, expiresAt });
  }

  purge(before: Date, limit: number): Promise<number> {
    return this.#sql.run(
      `delete from nonces where (key_id, nonce) in (
         select key_id, nonce from nonces where expires_at < ? order by expires_at limit ?)`,
      before.toISOString(),
      limit,
    );
  }
}
