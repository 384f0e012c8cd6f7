import type { KeyAlgorithmName } from '../crypto/algorithm-names.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  EscrowedKeyCount,
  EscrowedKeyFilter,
  EscrowedKeyRow,
  EscrowedKeyState,
  EscrowedKeyWriter,
  KeyOwner,
  KeyStore,
  KeyTransition,
} from '../flows/ports/escrowed-keys.ts';
import { listPage, pageLimit, type FilterColumns } from './list.ts';
import type { Sql, SqlRecord } from './sql.ts';
import { blob, decodeRecord, integer, optional, Table, text, time, won, word, type Columns } from './table.ts';

type FlatKey = Omit<EscrowedKeyRow, 'owner'> & {
  readonly authorityId: string | undefined;
  readonly certificateSerial: string | undefined;
  readonly subject: Buffer | undefined;
  readonly recipientSpkiSm3: string | undefined;
  readonly deviceId: string | undefined;
};

const KEYS = new Table<FlatKey>('escrowed_keys', {
  id: text,
  algorithm: word<KeyAlgorithmName>(),
  state: word<EscrowedKeyState>(),
  store: word<KeyStore>(),
  version: integer,
  spki: blob,
  spkiSm3: text,
  sealedKey: optional(blob),
  kekVersion: integer,
  objectVersion: integer,
  batchId: text,
  authorityId: optional(text),
  certificateSerial: optional(text),
  subject: optional(blob),
  recipientSpkiSm3: optional(text),
  deviceId: optional(text),
  createdAt: time,
  activatedAt: optional(time),
  changedAt: time,
  destroyAfter: optional(time),
  lastAuditEvent: text,
});

const COUNT: Columns<EscrowedKeyCount> = {
  algorithm: word<KeyAlgorithmName>(),
  state: word<EscrowedKeyState>(),
  count: integer,
};

const FILTER: FilterColumns<EscrowedKeyFilter> = {
  state: 'state',
  store: 'store',
  algorithm: 'algorithm',
  deviceId: 'device_id',
  authorityId: 'authority_id',
};

/** The store that each state lies in (security-and-faults 3.1). */
const STORE_OF: Readonly<Record<EscrowedKeyState, KeyStore>> = {
  generated: 'standby',
  spare: 'standby',
  active: 'in-use',
  suspended: 'in-use',
  deactivated: 'history',
  compromised: 'history',
  'destroy-pending': 'history',
  destroyed: 'tombstone',
  'destroyed-compromised': 'tombstone',
};

export class StoredEscrowedKeys implements EscrowedKeyWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<EscrowedKeyRow | undefined> {
    return this.#one('where id = ?', id);
  }

  findByKey(spkiSm3: string): Promise<EscrowedKeyRow | undefined> {
    return this.#one('where spki_sm3 = ?', spkiSm3);
  }

  findByCertificate(authorityId: string, certificateSerial: string): Promise<EscrowedKeyRow | undefined> {
    return this.#one('where authority_id = ? and certificate_serial = ?', authorityId, certificateSerial);
  }

  async list(filter: EscrowedKeyFilter, page: Page): Promise<EscrowedKeyRow[]> {
    return (await listPage(this.#sql, KEYS, FILTER, filter, page)).map(unflatten);
  }

  async counts(): Promise<EscrowedKeyCount[]> {
    const records = await this.#sql.all(
      'select algorithm, state, count(*) as count from escrowed_keys group by algorithm, state order by algorithm, state',
    );
    return records.map((record) => decodeRecord(COUNT, record));
  }

  async sealedUnder(kekVersion: number, page: Page): Promise<EscrowedKeyRow[]> {
    const rows = await KEYS.all(
      this.#sql,
      'where kek_version = ? and sealed_key is not null and id > ? order by id limit ?',
      kekVersion,
      page.after ?? '',
      pageLimit(page),
    );
    return rows.map(unflatten);
  }

  insertAll(rows: readonly EscrowedKeyRow[]): Promise<void> {
    return KEYS.insertAll(this.#sql, rows.map(flatten));
  }

  async takeSpare(
    algorithm: KeyAlgorithmName,
    owner: KeyOwner,
    at: Date,
    auditEvent: string,
  ): Promise<EscrowedKeyRow | undefined> {
    const [record] = await this.#sql.all(
      `update escrowed_keys set state = 'active', store = 'in-use', version = version + 1, authority_id = ?,
         certificate_serial = ?, subject = ?, recipient_spki_sm3 = ?, device_id = ?, activated_at = ?, changed_at = ?,
         last_audit_event = ?
       where id = (select id from escrowed_keys where state = 'spare' and algorithm = ?
                   order by id limit 1${this.#sql.dialect.forUpdateSkipLocked})
       returning ${KEYS.columns.join(', ')}`,
      owner.authorityId,
      owner.certificateSerial,
      owner.subject,
      owner.recipientSpkiSm3,
      owner.deviceId ?? null,
      time.encode(at),
      time.encode(at),
      auditEvent,
      algorithm,
    );
    return decodeKey(record);
  }

  transition({ id, from, to, at, destroyAfter, auditEvent }: KeyTransition): Promise<boolean> {
    const store = STORE_OF[to];
    return won(
      this.#sql.run(
        `update escrowed_keys set state = ?, store = ?, version = version + 1, changed_at = ?, destroy_after = ?,
           sealed_key = case when ? = 'tombstone' then null else sealed_key end, last_audit_event = ?
         where id = ? and state = ? and version = ?`,
        to,
        store,
        time.encode(at),
        optional(time).encode(destroyAfter),
        store,
        auditEvent,
        id,
        from.state,
        from.version,
      ),
    );
  }

  reseal(
    id: string,
    from: number,
    to: { readonly sealedKey: Buffer; readonly kekVersion: number },
    auditEvent: string,
  ): Promise<boolean> {
    return won(
      this.#sql.run(
        `update escrowed_keys set sealed_key = ?, kek_version = ?, object_version = object_version + 1,
           last_audit_event = ?
         where id = ? and object_version = ? and sealed_key is not null`,
        to.sealedKey,
        to.kekVersion,
        auditEvent,
        id,
        from,
      ),
    );
  }

  async #one(condition: string, ...bindings: string[]): Promise<EscrowedKeyRow | undefined> {
    const flat = await KEYS.find(this.#sql, condition, ...bindings);
    return flat === undefined ? undefined : unflatten(flat);
  }
}

function decodeKey(record: SqlRecord | undefined): EscrowedKeyRow | undefined {
  return record === undefined ? undefined : unflatten(KEYS.decode(record));
}

function flatten({ owner, ...key }: EscrowedKeyRow): FlatKey {
  return {
    ...key,
    authorityId: owner?.authorityId,
    certificateSerial: owner?.certificateSerial,
    subject: owner?.subject,
    recipientSpkiSm3: owner?.recipientSpkiSm3,
    deviceId: owner?.deviceId,
  };
}

function unflatten(flat: FlatKey): EscrowedKeyRow {
  const { authorityId, certificateSerial, subject, recipientSpkiSm3, deviceId, ...key } = flat;
  // A CHECK holds the first four together.
  const owner =
    authorityId !== undefined && certificateSerial !== undefined && subject && recipientSpkiSm3 !== undefined
      ? { authorityId, certificateSerial, subject, recipientSpkiSm3, deviceId }
      : undefined;
  return { ...key, owner };
}
