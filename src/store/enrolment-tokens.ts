import type {
  EnrolmentTokenRow,
  EnrolmentTokenState,
  EnrolmentTokenWriter,
  LiveToken,
  TokenUse,
  TryRule,
} from '../flows/ports/enrolment-tokens.ts';
import { DEVICES } from './devices.ts';
import { byCount, type Sql } from './sql.ts';
import { blob, integer, optional, ROWS_TOGETHER, Table, text, time, won, word } from './table.ts';

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

const LIVE = `where device_id = ? and state in ('issued', 'used') and sealed_token is not null
   order by issued_at desc, enrolment_tokens.id desc`;
const LIVE_WITH_DEVICE = `select ${TOKENS.joinedColumns}, ${DEVICES.joinedColumns}
   from enrolment_tokens join devices on devices.id = device_id ${LIVE}`;

/** The locked stay as they are: the proof that somebody brought may be older than the lock. */
const USE = byCount(
  ROWS_TOGETHER,
  (rows) => `update enrolment_tokens set state = 'used', used_at = given.column2, used_spki_sm3 = given.column3,
     enrolment_id = given.column4, erase_at = given.column5, tries = 0, locked_until = null
   from (values ${rows('(?, ?, ?, ?, ?)')}) as given
   where id = given.column1 and state = 'issued' and (locked_until is null or locked_until <= given.column2)`,
);

export class StoredEnrolmentTokens implements EnrolmentTokenWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<EnrolmentTokenRow | undefined> {
    return TOKENS.find(this.#sql, 'where id = ?', id);
  }

  issued(limit: number): Promise<EnrolmentTokenRow[]> {
    return TOKENS.all(this.#sql, "where state = 'issued' order by id limit ?", limit);
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
    return TOKENS.all(this.#sql, LIVE, deviceId);
  }

  async liveWithDevice(deviceId: string): Promise<LiveToken[]> {
    const records = await this.#sql.all(LIVE_WITH_DEVICE, deviceId);
    return records.map((record) => ({
      token: TOKENS.decodeJoined(record),
      device: DEVICES.decodeJoined(record),
    }));
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

  async use(...uses: readonly TokenUse[]): Promise<boolean> {
    const given = uses.flatMap(({ id, at, spkiSm3, enrolmentId, eraseAt }) => [
      id,
      at.toISOString(),
      spkiSm3,
      enrolmentId,
      eraseAt.toISOString(),
    ]);
    return (await this.#sql.run(USE(uses.length), ...given)) === uses.length;
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
