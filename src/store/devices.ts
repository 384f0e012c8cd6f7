import type { Page } from '../flows/ports/database.ts';
import type {
  DeviceCount,
  DeviceFilter,
  DeviceKind,
  DeviceRow,
  DeviceStatus,
  DeviceWriter,
  KeyBinding,
} from '../flows/ports/devices.ts';
import { listPage, type FilterColumns } from './list.ts';
import { byCount, type Sql } from './sql.ts';
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

/** Also for queries that look at devices beside something else. */
export const DEVICES = new Table<DeviceRow>('devices', {
  id: text,
  kind: word<DeviceKind>(),
  vendor: text,
  model: text,
  serial: text,
  firmware: optional(text),
  region: text,
  registrationAuthority: text,
  unit: text,
  tier: word<DeviceRow['tier']>(),
  profile: text,
  subject: blob,
  alternativeNames: text,
  status: word<DeviceStatus>(),
  version: integer,
  spkiSm3: optional(text),
  registeredBy: text,
  registeredAt: time,
  changedAt: time,
});

const FILTER: FilterColumns<DeviceFilter> = { region: 'region', status: 'status', kind: 'kind' };

const COUNT: Columns<DeviceCount> = {
  region: text,
  kind: word<DeviceKind>(),
  status: word<DeviceStatus>(),
  count: integer,
};

const BIND_KEY = byCount(
  ROWS_TOGETHER,
  (rows) => `update devices set spki_sm3 = given.column3, status = 'in-service', changed_at = given.column4,
     version = version + 1
   from (values ${rows('(?, cast(? as bigint), ?, ?)')}) as given
   where id = given.column1 and version = given.column2`,
);

export class StoredDevices implements DeviceWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<DeviceRow | undefined> {
    return DEVICES.find(this.#sql, 'where id = ?', id);
  }

  lock(id: string): Promise<DeviceRow | undefined> {
    return DEVICES.find(this.#sql, `where id = ?${this.#sql.dialect.forUpdate}`, id);
  }

  findBySerial(vendor: string, serial: string): Promise<DeviceRow | undefined> {
    return DEVICES.find(this.#sql, 'where vendor = ? and serial = ?', vendor, serial);
  }

  listBySerial(serial: string, limit: number): Promise<DeviceRow[]> {
    return DEVICES.all(this.#sql, 'where serial = ? order by id limit ?', serial, limit);
  }

  findByKey(spkiSm3: string): Promise<DeviceRow | undefined> {
    return DEVICES.find(this.#sql, 'where spki_sm3 = ?', spkiSm3);
  }

  list(filter: DeviceFilter, page: Page): Promise<DeviceRow[]> {
    return listPage(this.#sql, DEVICES, FILTER, filter, page);
  }

  async counts(): Promise<DeviceCount[]> {
    const records = await this.#sql.all(
      `select region, kind, status, count(*) as count from devices
       group by region, kind, status order by region, kind, status`,
    );
    return records.map((record) => decodeRecord(COUNT, record));
  }

  insert(row: DeviceRow): Promise<boolean> {
    return DEVICES.insert(this.#sql, row);
  }

  insertAll(rows: readonly DeviceRow[]): Promise<void> {
    return DEVICES.insertAll(this.#sql, rows);
  }

  setStatus(id: string, version: number, status: DeviceStatus, at: Date): Promise<boolean> {
    return won(
      this.#sql.run(
        'update devices set status = ?, changed_at = ?, version = version + 1 where id = ? and version = ?',
        status,
        at.toISOString(),
        id,
        version,
      ),
    );
  }

  async bindKey(...bindings: readonly KeyBinding[]): Promise<boolean> {
    const given = bindings.flatMap(({ id, version, spkiSm3, at }) => [id, version, spkiSm3, at.toISOString()]);
    return (await this.#sql.run(BIND_KEY(bindings.length), ...given)) === bindings.length;
  }

  setFirmware(id: string, version: number, firmware: string, at: Date): Promise<boolean> {
    return won(
      this.#sql.run(
        'update devices set firmware = ?, changed_at = ?, version = version + 1 where id = ? and version = ?',
        firmware,
        at.toISOString(),
        id,
        version,
      ),
    );
  }
}
