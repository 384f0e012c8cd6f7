import type { KeyState, KeyStore } from '../domain/key-state.ts';
import type { ManagedKeyKindName } from '../domain/managed-key.ts';
import type { Page } from '../flows/ports/database.ts';
import type { KeyTransition } from '../flows/ports/escrowed-keys.ts';
import type { ManagedKey, ManagedKeyRow, ManagedKeyVersionRow, ManagedKeyWriter } from '../flows/ports/managed-keys.ts';
import { KeyStatements, type Resealed } from './key-transition.ts';
import { listPage } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, flag, integer, optional, Table, text, time, won, word } from './table.ts';

const KEYS = new Table<ManagedKeyRow>('managed_keys', {
  id: text,
  name: text,
  kind: word<ManagedKeyKindName>(),
  origin: word<ManagedKeyRow['origin']>(),
  exportable: flag,
  useLimit: optional(integer),
  currentNumber: integer,
  version: integer,
  createdAt: time,
  changedAt: time,
  lastAuditEvent: text,
});

const VERSIONS = new Table<ManagedKeyVersionRow>('managed_key_versions', {
  id: text,
  keyId: text,
  number: integer,
  state: word<KeyState>(),
  store: word<KeyStore>(),
  version: integer,
  kid: text,
  spki: optional(blob),
  spkiSm3: optional(text),
  sealedKey: optional(blob),
  kekVersion: integer,
  objectVersion: integer,
  createdAt: time,
  activatedAt: time,
  changedAt: time,
  stateReason: optional(text),
  compromisedAt: optional(time),
  destroyAfter: optional(time),
  lastAuditEvent: text,
});

const STATEMENTS = new KeyStatements('managed_key_versions');

export class StoredManagedKeys implements ManagedKeyWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async find(id: string): Promise<ManagedKey | undefined> {
    const key = await KEYS.find(this.#sql, 'where id = ?', id);
    return key === undefined ? undefined : this.#withVersions(key);
  }

  findVersion(id: string): Promise<ManagedKeyVersionRow | undefined> {
    return VERSIONS.find(this.#sql, 'where id = ?', id);
  }

  async list(page: Page): Promise<ManagedKey[]> {
    const keys: ManagedKey[] = [];
    for (const key of await listPage(this.#sql, KEYS, {}, {}, page)) keys.push(await this.#withVersions(key));
    return keys;
  }

  due(at: Date, limit: number): Promise<ManagedKeyVersionRow[]> {
    const condition = "where state = 'destroy-pending' and destroy_after <= ? order by destroy_after, id limit ?";
    return VERSIONS.all(this.#sql, condition, time.encode(at), limit);
  }

  async countSealedUnder(kekVersion: number): Promise<number> {
    const [record = {}] = await this.#sql.all(
      'select count(*) as count from managed_key_versions where kek_version = ? and sealed_key is not null',
      kekVersion,
    );
    return integer.decode(record['count']);
  }

  sealedBefore(kekVersion: number, limit: number): Promise<ManagedKeyVersionRow[]> {
    const condition = 'where kek_version < ? and sealed_key is not null order by kek_version, id limit ?';
    return VERSIONS.all(this.#sql, condition, kekVersion, limit);
  }

  async insert(key: ManagedKeyRow, version: ManagedKeyVersionRow): Promise<void> {
    await KEYS.insertAll(this.#sql, [key]);
    await VERSIONS.insertAll(this.#sql, [version]);
  }

  async addVersion(
    { id, version, currentNumber }: Pick<ManagedKeyRow, 'id' | 'version' | 'currentNumber'>,
    next: ManagedKeyVersionRow,
    auditEvent: string,
  ): Promise<boolean> {
    const moved = await won(
      this.#sql.run(
        `update managed_keys set current_number = ?, version = version + 1, changed_at = ?, last_audit_event = ?
         where id = ? and version = ? and current_number = ?`,
        next.number,
        time.encode(next.createdAt),
        auditEvent,
        id,
        version,
        currentNumber,
      ),
    );
    return moved && (await VERSIONS.insert(this.#sql, next));
  }

  transition(transition: KeyTransition): Promise<boolean> {
    return STATEMENTS.transition(this.#sql, transition);
  }

  reseal(id: string, from: number, to: Resealed, auditEvent: string): Promise<boolean> {
    return STATEMENTS.reseal(this.#sql, id, from, to, auditEvent);
  }

  async #withVersions(key: ManagedKeyRow): Promise<ManagedKey> {
    const versions = await VERSIONS.all(this.#sql, 'where key_id = ? order by number', key.id);
    return { ...key, versions };
  }
}
