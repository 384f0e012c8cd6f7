import type { ConsoleSessionState } from '../domain/console-session.ts';
import type { ConsoleSessionRow, ConsoleSessionWriter } from '../flows/ports/console-sessions.ts';
import type { Sql } from './sql.ts';
import { integer, optional, Table, text, time, won, word } from './table.ts';

const SESSIONS = new Table<ConsoleSessionRow>('console_sessions', {
  id: text,
  challenge: text,
  state: word<ConsoleSessionState>(),
  personId: optional(text),
  certificateSm3: optional(text),
  codeSm3: optional(text),
  tries: integer,
  createdAt: time,
  expiresAt: time,
});

export class StoredConsoleSessions implements ConsoleSessionWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<ConsoleSessionRow | undefined> {
    return SESSIONS.find(this.#sql, 'where id = ?', id);
  }

  insert(row: ConsoleSessionRow): Promise<boolean> {
    return SESSIONS.insert(this.#sql, row);
  }

  approve(
    challenge: string,
    by: { readonly personId: string; readonly certificateSm3: string; readonly codeSm3: string },
    now: Date,
  ): Promise<boolean> {
    return won(
      this.#sql.run(
        `update console_sessions set state = 'approved', person_id = ?, certificate_sm3 = ?, code_sm3 = ?
         where challenge = ? and state = 'pending' and expires_at > ?`,
        by.personId,
        by.certificateSm3,
        by.codeSm3,
        challenge,
        time.encode(now),
      ),
    );
  }

  open(id: string, opened: { readonly id: string; readonly expiresAt: Date }): Promise<boolean> {
    return won(
      this.#sql.run(
        `update console_sessions set id = ?, state = 'open', expires_at = ? where id = ? and state = 'approved'`,
        opened.id,
        time.encode(opened.expiresAt),
        id,
      ),
    );
  }

  async countTry(id: string, most: number): Promise<void> {
    await this.#sql.run(
      `update console_sessions set tries = tries + 1, state = case when tries + 1 >= ? then 'ended' else state end
       where id = ? and state = 'approved'`,
      most,
      id,
    );
  }

  end(id: string): Promise<boolean> {
    return won(this.#sql.run("update console_sessions set state = 'ended' where id = ? and state = 'open'", id));
  }

  async purge(before: Date, limit: number): Promise<number> {
    return await this.#sql.run(
      `delete from console_sessions where id in (
         select id from console_sessions where expires_at < ? order by expires_at limit ?)`,
      time.encode(before),
      limit,
    );
  }
}
