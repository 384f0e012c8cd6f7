import type { NonceWriter, OfferedNonce } from '../flows/ports/nonces.ts';
import type { Sql } from './sql.ts';
import { Table, text, time, won } from './table.ts';

interface NonceRow {
  readonly keyId: string;
  readonly nonce: string;
  readonly expiresAt: Date;
}

const NONCES = new Table<NonceRow>('nonces', { keyId: text, nonce: text, expiresAt: time });

const OFFERED = new Table<OfferedNonce>('offered_nonces', {
  nonce: text,
  keyId: text,
  offeredAt: time,
  expiresAt: time,
});

export class StoredNonces implements NonceWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  use(keyId: string, nonce: string, expiresAt: Date): Promise<boolean> {
    return NONCES.insert(this.#sql, { keyId, nonce, expiresAt });
  }

  async offer(offered: OfferedNonce, most: number): Promise<void> {
    await OFFERED.insert(this.#sql, offered);
    await this.#sql.run(
      `delete from offered_nonces where key_id = ? and nonce not in (
         select nonce from offered_nonces where key_id = ? order by offered_at desc, nonce limit ?)`,
      offered.keyId,
      offered.keyId,
      most,
    );
  }

  redeem(keyId: string, nonce: string, now: Date): Promise<boolean> {
    return won(
      this.#sql.run(
        'delete from offered_nonces where nonce = ? and key_id = ? and expires_at > ?',
        nonce,
        keyId,
        now.toISOString(),
      ),
    );
  }

  async purge(before: Date, limit: number): Promise<number> {
    const offered = await this.#sql.run(
      `delete from offered_nonces where nonce in (
         select nonce from offered_nonces where expires_at < ? order by expires_at limit ?)`,
      before.toISOString(),
      limit,
    );
    const used = await this.#sql.run(
      `delete from nonces where (key_id, nonce) in (
         select key_id, nonce from nonces where expires_at < ? order by expires_at limit ?)`,
      before.toISOString(),
      limit,
    );
    return offered + used;
  }
}
