import type { BlockedKeyRow, BlockedKeyWriter, KeyUse } from '../flows/ports/blocked-keys.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, optional, Table, text, time, word, type Columns } from './table.ts';

const BLOCKED_KEYS = new Table<BlockedKeyRow>('blocked_keys', {
  spkiSm3: text,
  reason: text,
  blockedAt: time,
  auditEvent: text,
});

const USE: Columns<KeyUse> = { kind: word<KeyUse['kind']>(), deviceId: optional(text), status: optional(text) };

const USES = `select 'blocked' as kind, null as device_id, null as status from blocked_keys where spki_sm3 = ?
   union all select 'certificate', device_id, status from certificates where spki_sm3 = ?
   union all select 'device', id, null from devices where spki_sm3 = ?
   union all select 'authority', null, null from authorities where spki_sm3 = ?
   union all select 'ca-key', null, null from sealed_ca_key where spki_sm3 = ?
   union all select 'escrowed', null, null from escrowed_keys where spki_sm3 = ?
   union all select 'person', null, null from accounts where kid = ?`;

export class StoredBlockedKeys implements BlockedKeyWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(spkiSm3: string): Promise<BlockedKeyRow | undefined> {
    return BLOCKED_KEYS.find(this.#sql, 'where spki_sm3 = ?', spkiSm3);
  }

  async usesOf(spkiSm3: string): Promise<KeyUse[]> {
    const records = await this.#sql.all(USES, ...Array.from({ length: 7 }, () => spkiSm3));
    return records.map((record) => decodeRecord(USE, record));
  }

  insert(row: BlockedKeyRow): Promise<boolean> {
    return BLOCKED_KEYS.insert(this.#sql, row);
  }
}
