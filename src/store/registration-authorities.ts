import type { RegisteredCounts, RegistrationAuthorityState } from '../domain/registration-authority.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  NamedAuthority,
  RegistrationAuthorityChange,
  RegistrationAuthorityFilter,
  RegistrationAuthorityRow,
  RegistrationAuthorityWriter,
} from '../flows/ports/registration-authorities.ts';
import { listPage, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, integer, names, Table, text, time, won, word, type Columns } from './table.ts';

const AUTHORITIES = new Table<RegistrationAuthorityRow>('registration_authorities', {
  id: text,
  region: text,
  nameEn: text,
  nameZh: text,
  profiles: names,
  devices: integer,
  devicesPerDay: integer,
  state: word<RegistrationAuthorityState>(),
  version: integer,
  appliedAt: time,
  changedAt: time,
  lastAuditEvent: text,
});

const FILTER: FilterColumns<RegistrationAuthorityFilter> = { region: 'region', state: 'state' };
const OF_REGION = "where region = ? and state <> 'closed'";
const COUNTS: Columns<RegisteredCounts> = { devices: integer, today: integer };
const NAMED: Columns<NamedAuthority> = { id: text, region: text };

export class StoredRegistrationAuthorities implements RegistrationAuthorityWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<RegistrationAuthorityRow | undefined> {
    return AUTHORITIES.find(this.#sql, 'where id = ?', id);
  }

  ofRegion(region: string): Promise<RegistrationAuthorityRow | undefined> {
    return AUTHORITIES.find(this.#sql, OF_REGION, region);
  }

  lockOfRegion(region: string): Promise<RegistrationAuthorityRow | undefined> {
    return AUTHORITIES.find(this.#sql, `${OF_REGION}${this.#sql.dialect.forUpdate}`, region);
  }

  list(filter: RegistrationAuthorityFilter, page: Page): Promise<RegistrationAuthorityRow[]> {
    return listPage(this.#sql, AUTHORITIES, FILTER, filter, page);
  }

  async registered(id: string, since: Date): Promise<RegisteredCounts> {
    const [record] = await this.#sql.all(
      `select coalesce(sum(case when status <> 'decommissioned' then 1 else 0 end), 0) as devices,
              coalesce(sum(case when registered_at >= ? then 1 else 0 end), 0) as today
       from devices where registration_authority = ?`,
      time.encode(since),
      id,
    );
    return decodeRecord(COUNTS, record ?? {});
  }

  async unknownOfDevices(): Promise<NamedAuthority[]> {
    const records = await this.#sql.all(
      `select registration_authority as id, min(region) as region from devices
       where not exists (select 1 from registration_authorities r where r.id = devices.registration_authority)
       group by registration_authority order by registration_authority`,
    );
    return records.map((record) => decodeRecord(NAMED, record));
  }

  insert(row: RegistrationAuthorityRow): Promise<boolean> {
    return AUTHORITIES.insert(this.#sql, row);
  }

  change(id: string, version: number, change: RegistrationAuthorityChange): Promise<boolean> {
    return won(
      this.#sql.run(
        `update registration_authorities set state = ?, profiles = ?, devices = ?, devices_per_day = ?, changed_at = ?,
           last_audit_event = ?, version = version + 1
         where id = ? and version = ?`,
        change.state,
        names.encode(change.profiles),
        change.devices,
        change.devicesPerDay,
        time.encode(change.at),
        change.auditEvent,
        id,
        version,
      ),
    );
  }

  voidTokens(id: string): Promise<number> {
    return this.#sql.run(
      `update enrolment_tokens set state = 'revoked', token_sm3 = null, sealed_token = null
       where state = 'issued' and device_id in (select id from devices where registration_authority = ?)`,
      id,
    );
  }
}
