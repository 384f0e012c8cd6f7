import type {
  EnrolmentTokenRow,
  EnrolmentTokenState,
  EnrolmentTokenWriter,
  TokenUse,
  TryRule,
} from '../flows/ports/enrolment-tokens.ts';
import type { Sql } from './sql.ts';
import { blob, integer, optional, Table, text, time, won, word } from './table.ts';

const TOKENS = new Table<EnrolmentTokenRow>('enrolment_tokens', {
  id: text,
  deviceId: text,
  label: text,
  state: word<EnrolmentTokenState>(),
  tokenSm3: optional(text),
  sealedToken: optional(blob),
  kekVersion: integer,
  boundSpkiSm3: optional(text),
  issuedBy: text,
  issuedAt: time,
  expiresAt: time,
  tries: integer,
  lockedUntil: optional(time),
  usedAt: optional(time),
  usedSpkiSm3: optional(text),
  enrolmentId: optional(text),
  eraseAt: time,
});

export class StoredEnrolmentTokens implements EnrolmentTokenWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<EnrolmentTokenRow | undefined> {
    return TOKENS.find(this.#sql, 'where id = ?', id);
  }

  async countSealedUnder(kekVersion: number): Promise<number> {
    const [record = {}] = await this.#sql.all(
      'select count(*) as count from enrolment_tokens where kek_version = ? and sealed_token is not null',
      kekVersion,
    );
    return integer.decode(record['count']);
  }

  findByDigest(tokenSm3: string): Promise<EnrolmentTokenRow | undefined> {
    return TOKENS.find(this.#sql, 'where token_sm3 = ?', tokenSm3);
  }

  liveOf(deviceId: string): Promise<EnrolmentTokenRow[]> {
    return TOKENS.all(
      this.#sql,
      "where device_id = ? and state in ('issued', 'used') and sealed_token is not null order by issued_at desc, id desc",
      deviceId,
    );
  }

  insert(row: EnrolmentTokenRow): Promise<boolean> {
    return TOKENS.insert(this.#sql, row);
  }

  lock(id: string): Promise<EnrolmentTokenRow | undefined> {
    return TOKENS.find(this.#sql, `where id = ?${this.#sql.dialect.forUpdate}`, id);
  }

  countTry(id: string, { now, limit, lockUntil }: TryRule): Promise<boolean> {
    return won(
      this.#sql.run(
        `update enrolment_tokens set
           tries = case when locked_until is null then tries + 1 else 1 end,
           locked_until = case when locked_until is null and tries + 1 >= ? then ? else null end
         where id = ? and (locked_until is null or locked_until <= ?)`,
        limit,
        lockUntil.toISOString(),
        id,
        now.toISOString(),
      ),
    );
  }

  async clearTries(id: string): Promise<void> {
    await this.#sql.run('update enrolment_tokens set tries = 0, locked_until = null where id = ?', id);
  }

  use(id: string, { spkiSm3, enrolmentId, at, eraseAt }: TokenUse): Promise<boolean> {
    return won(
      this.#sql.run(
        `update enrolment_tokens set state = 'used', used_at = ?, used_spki_sm3 = ?, enrolment_id = ?, erase_at = ?
         where id = ? and state = 'issued'`,
        at.toISOString(),
        spkiSm3,
        enrolmentId,
        eraseAt.toISOString(),
        id,
      ),
    );
  }

  revoke(id: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update enrolment_tokens set state = 'revoked', token_sm3 = null, sealed_token = null
         where id = ? and state = 'issued'`,
        id,
      ),
    );
  }

  eraseDue(now: Date): Promise<number> {
    return this.#sql.run(
      `update enrolment_tokens set token_sm3 = null, sealed_token = null,
         state = case when state = 'issued' then 'expired' else state end
       where erase_at <= ? and sealed_token is not null`,
      now.toISOString(),
    );
  }
}
