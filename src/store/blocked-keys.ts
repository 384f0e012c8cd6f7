import type { BlockedKeyRow, BlockedKeyWriter, KeyClaim, KeyUse } from '../flows/ports/blocked-keys.ts';
import { byCount, type Sql } from './sql.ts';
import { decodeRecord, optional, ROWS_TOGETHER, Table, text, time, word, type Columns } from './table.ts';

const BLOCKED_KEYS = new Table<BlockedKeyRow>('blocked_keys', {
  spkiSm3: text,
  reason: text,
  blockedAt: time,
  auditEvent: text,
});

const USE: Columns<KeyUse> = {
  spkiSm3: text,
  kind: word<KeyUse['kind']>(),
  deviceId: optional(text),
  status: optional(text),
};

const ASKED = 'in (select spki_sm3 from asked)';
const USES = byCount(
  ROWS_TOGETHER,
  (rows) => `with asked (spki_sm3) as (values ${rows('(?)')})
   select spki_sm3, 'blocked' as kind, null as device_id, null as status from blocked_keys where spki_sm3 ${ASKED}
   union all select spki_sm3, 'certificate', device_id, status from certificates where spki_sm3 ${ASKED}
   union all select spki_sm3, 'device', id, null from devices where spki_sm3 ${ASKED}
   union all select spki_sm3, 'authority', null, null from authorities where spki_sm3 ${ASKED}
   union all select spki_sm3, 'ca-key', null, null from sealed_ca_key where spki_sm3 ${ASKED}
   union all select spki_sm3, 'escrowed', null, null from escrowed_keys where spki_sm3 ${ASKED}
   union all select spki_sm3, 'managed', null, null from managed_key_versions where spki_sm3 ${ASKED}
   union all select kid, 'person', null, null from accounts where kid ${ASKED}`,
);

const CLAIM = byCount(
  ROWS_TOGETHER,
  (rows) => `insert into key_claims (spki_sm3, holder) values ${rows('(?, ?)')}
   on conflict (spki_sm3) do update set holder = excluded.holder where key_claims.holder = excluded.holder`,
);

export class StoredBlockedKeys implements BlockedKeyWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(spkiSm3: string): Promise<BlockedKeyRow | undefined> {
    return BLOCKED_KEYS.find(this.#sql, 'where spki_sm3 = ?', spkiSm3);
  }

  async usesOf(...spkiSm3: readonly string[]): Promise<KeyUse[]> {
    const records = await this.#sql.all(USES(spkiSm3.length), ...spkiSm3);
    return records.map((record) => decodeRecord(USE, record));
  }

  async claim(claims: readonly KeyClaim[]): Promise<boolean> {
    // Everybody takes them in one order.
    const given = claims.toSorted((a, b) => (a.spkiSm3 < b.spkiSm3 ? -1 : 1));
    const bindings = given.flatMap(({ spkiSm3, holder }) => [spkiSm3, holder]);
    return (await this.#sql.run(CLAIM(claims.length), ...bindings)) === claims.length;
  }

  insert(row: BlockedKeyRow): Promise<boolean> {
    return BLOCKED_KEYS.insert(this.#sql, row);
  }
}
