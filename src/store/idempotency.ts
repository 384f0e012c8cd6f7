import type { IdempotencyRow, IdempotencyWriter, StoredReply } from '../flows/ports/idempotency.ts';
import type { Sql } from './sql.ts';
import { blob, integer, optional, Table, text, time, won } from './table.ts';

type FlatAnswer = Omit<IdempotencyRow, 'reply'> & {
  readonly status: number | undefined;
  readonly body: Buffer | undefined;
};

const ANSWERS = new Table<FlatAnswer>('idempotency', {
  caller: text,
  key: text,
  bodyDigest: text,
  status: optional(integer),
  body: optional(blob),
  createdAt: time,
  expiresAt: time,
});

export class StoredIdempotency implements IdempotencyWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async find(caller: string, key: string): Promise<IdempotencyRow | undefined> {
    const flat = await ANSWERS.find(this.#sql, 'where caller = ? and key = ?', caller, key);
    if (flat === undefined) return undefined;
    const { status, body, ...row } = flat;
    return { ...row, reply: status === undefined || body === undefined ? undefined : { status, body } };
  }

  claim(row: Omit<IdempotencyRow, 'reply'>): Promise<boolean> {
    return ANSWERS.insert(this.#sql, { ...row, status: undefined, body: undefined });
  }

  answer(caller: string, key: string, { status, body }: StoredReply): Promise<boolean> {
    return won(
      this.#sql.run(
        'update idempotency set status = ?, body = ? where caller = ? and key = ? and status is null',
        status,
        body,
        caller,
        key,
      ),
    );
  }

  release(caller: string, key: string): Promise<boolean> {
    return won(this.#sql.run('delete from idempotency where caller = ? and key = ? and status is null', caller, key));
  }

  purge(before: Date, limit: number): Promise<number> {
    return this.#sql.run(
      `delete from idempotency where (caller, key) in (
         select caller, key from idempotency where expires_at < ? order by expires_at limit ?)`,
      before.toISOString(),
      limit,
    );
  }
}
