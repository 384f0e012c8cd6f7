import type { KeyAlgorithmName } from '../crypto/algorithm-names.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  EscrowedKeyCount,
  EscrowedKeyFilter,
  EscrowedKeyRow,
  EscrowedKeyWriter,
  KeyOwner,
  KeyTransition,
} from '../flows/ports/escrowed-keys.ts';
import { storeOf, type KeyState, type KeyStore } from '../domain/key-state.ts';
import { KeyStatements, type Resealed } from './key-transition.ts';
import { listPage, type FilterColumns } from './list.ts';
import { byCount, type Binding, type Sql } from './sql.ts';
import {
  blob,
  decodeRecord,
  integer,
  optional,
  ROWS_TOGETHER,
  Table,
  text,
  time,
  won,
  word,
  type Columns,
} from './table.ts';

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
  state: word<KeyState>(),
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
  stateReason: optional(text),
  compromisedAt: optional(time),
  destroyAfter: optional(time),
  lastAuditEvent: text,
});

const STATEMENTS = new KeyStatements('escrowed_keys');

const COUNT: Columns<EscrowedKeyCount> = {
  algorithm: word<KeyAlgorithmName>(),
  state: word<KeyState>(),
  count: integer,
};

const FILTER: FilterColumns<EscrowedKeyFilter> = {
  state: 'state',
  store: 'store',
  algorithm: 'algorithm',
  deviceId: 'device_id',
  authorityId: 'authority_id',
};

const claimOf = (octets: 'blob' | 'bytea'): ((count: number) => string) =>
  byCount(
    ROWS_TOGETHER,
    (rows) => `update escrowed_keys set state = 'active', store = 'in-use', version = version + 1,
       authority_id = given.column2, certificate_serial = given.column3, subject = given.column4,
       recipient_spki_sm3 = given.column5, device_id = given.column6, activated_at = given.column7,
       changed_at = given.column8, last_audit_event = given.column9
     from (values ${rows(`(?, ?, ?, cast(? as ${octets}), ?, ?, ?, ?, ?)`)}) as given
     where id = given.column1 and state = 'spare'`,
  );
/** The engines name the type of octets differently, and a list of values has to name it. */
const CLAIM = { sqlite: claimOf('blob'), postgresql: claimOf('bytea') } as const;

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

  appliedFor({
    authorityId,
    recipientSpkiSm3,
    subject,
  }: Pick<KeyOwner, 'authorityId' | 'recipientSpkiSm3' | 'subject'>): Promise<EscrowedKeyRow | undefined> {
    return this.#one(
      `where authority_id = ? and recipient_spki_sm3 = ? and subject = ? and device_id is null
         and state = 'active' and not exists (select 1 from certificates where certificates.authority_id = escrowed_keys.authority_id
                         and certificates.serial_number = escrowed_keys.certificate_serial)
       order by id limit 1`,
      authorityId,
      recipientSpkiSm3,
      subject,
    );
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

  async sealedBefore(kekVersion: number, limit: number): Promise<EscrowedKeyRow[]> {
    const condition = `where kek_version < ? and sealed_key is not null
      and not exists (select 1 from key_faults where key_faults.key_id = escrowed_keys.id)
      order by kek_version, id limit ?`;
    return (await KEYS.all(this.#sql, condition, kekVersion, limit)).map(unflatten);
  }

  async due(at: Date, limit: number): Promise<EscrowedKeyRow[]> {
    const condition = "where state = 'destroy-pending' and destroy_after <= ? order by destroy_after, id limit ?";
    return (await KEYS.all(this.#sql, condition, time.encode(at), limit)).map(unflatten);
  }

  async activatedBefore(at: Date, limit: number): Promise<EscrowedKeyRow[]> {
    const condition = "where state in ('active', 'suspended') and activated_at < ? order by activated_at, id limit ?";
    return (await KEYS.all(this.#sql, condition, time.encode(at), limit)).map(unflatten);
  }

  async countSealedUnder(kekVersion: number): Promise<number> {
    const [record = {}] = await this.#sql.all(
      'select count(*) as count from escrowed_keys where kek_version = ? and sealed_key is not null',
      kekVersion,
    );
    return integer.decode(record['count']);
  }

  insertAll(rows: readonly EscrowedKeyRow[]): Promise<void> {
    return KEYS.insertAll(this.#sql, rows.map(flatten));
  }

  async count(algorithm: KeyAlgorithmName, state: KeyState): Promise<number> {
    const [record = {}] = await this.#sql.all(
      'select count(*) as count from escrowed_keys where state = ? and algorithm = ?',
      state,
      algorithm,
    );
    return integer.decode(record['count']);
  }

  async spare(algorithm: KeyAlgorithmName, from: string): Promise<EscrowedKeyRow | undefined> {
    const sound = `where state = 'spare' and algorithm = ?
      and not exists (select 1 from key_faults where key_faults.key_id = escrowed_keys.id)`;
    return (
      (await this.#one(`${sound} and spki_sm3 > ? order by spki_sm3 limit 1`, algorithm, from)) ??
      (await this.#one(`${sound} order by spki_sm3 limit 1`, algorithm))
    );
  }

  async claim(...keys: readonly (EscrowedKeyRow & { readonly owner: KeyOwner })[]): Promise<boolean> {
    const given = keys.flatMap(({ id, owner, activatedAt, changedAt, lastAuditEvent }) => [
      id,
      owner.authorityId,
      owner.certificateSerial,
      owner.subject,
      owner.recipientSpkiSm3,
      owner.deviceId ?? null,
      optional(time).encode(activatedAt),
      time.encode(changedAt),
      lastAuditEvent,
    ]);
    const statement = CLAIM[this.#sql.dialect.engine](keys.length);
    return (await this.#sql.run(statement, ...given)) === keys.length;
  }

  bindDevice(id: string, version: number, deviceId: string, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update escrowed_keys set device_id = ?, version = version + 1, last_audit_event = ?
         where id = ? and version = ? and device_id is null and state = 'active'`,
        deviceId,
        auditEvent,
        id,
        version,
      ),
    );
  }

  transition(transition: KeyTransition): Promise<boolean> {
    return STATEMENTS.transition(this.#sql, transition);
  }

  withholdSpare(algorithm: KeyAlgorithmName, reason: string, at: Date, auditEvent: string): Promise<number> {
    return this.#sql.run(
      `update escrowed_keys set state = 'compromised', store = ?, version = version + 1, changed_at = ?,
         state_reason = ?, compromised_at = ?, last_audit_event = ?
       where state = 'spare' and algorithm = ?`,
      storeOf('compromised'),
      time.encode(at),
      reason,
      time.encode(at),
      auditEvent,
      algorithm,
    );
  }

  reseal(id: string, from: number, to: Resealed, auditEvent: string): Promise<boolean> {
    return STATEMENTS.reseal(this.#sql, id, from, to, auditEvent);
  }

  async #one(condition: string, ...bindings: Binding[]): Promise<EscrowedKeyRow | undefined> {
    const flat = await KEYS.find(this.#sql, condition, ...bindings);
    return flat === undefined ? undefined : unflatten(flat);
  }
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
