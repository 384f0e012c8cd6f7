import type { Expiring } from '../domain/expiry.ts';
import type { ExpirationWriter, ExpiringFilter, ExpiringOwner } from '../flows/ports/expirations.ts';
import { pageLimit } from './list.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, text, time, type Columns } from './table.ts';

type Found = Omit<Expiring, 'kind'>;

const FOUND: Columns<Found> = { id: text, name: text, endsAt: time };

/** Conditions are constants, as those of the partial indexes. */
const SOURCES: Readonly<Record<ExpiringFilter['kind'], string>> = {
  'device-certificate': `
    select c.id as id, coalesce(c.device_id, c.serial_number) as name, c.not_after as ends_at from certificates c
    where c.status = 'good' and c.not_after > ? and c.not_after <= ? and (c.device_id is not null or c.source = 'imported')
      and not exists (select 1 from certificates n where n.device_id = c.device_id and n.profile = c.profile
                        and n.status = 'good' and n.not_after > c.not_after)`,
  'service-certificate': `
    select c.id as id, c.profile as name, c.not_after as ends_at from certificates c
    where c.status = 'good' and c.not_after > ? and c.not_after <= ? and c.device_id is null and c.source = 'issued'
      and not exists (select 1 from accounts a where a.certificate_sm3 = c.certificate_sm3)
      and not exists (select 1 from certificates n where n.authority_id = c.authority_id and n.profile = c.profile
                        and n.subject = c.subject and n.device_id is null and n.source = 'issued'
                        and n.status = 'good' and n.not_after > c.not_after)`,
  'person-certificate': `
    select c.person_id as id, c.person_id as name, c.not_after as ends_at from accounts c
    where c.status = 'valid' and c.not_after > ? and c.not_after <= ?
      and not exists (select 1 from accounts n where n.person_id = c.person_id
                        and n.status = 'valid' and n.not_after > c.not_after)`,
  authority: `
    select c.id as id, c.kind as name, c.not_after as ends_at from authorities c
    where c.state not in ('retired', 'revoked') and c.not_after > ? and c.not_after <= ?`,
};

const OWNERS: readonly (readonly [keyof ExpiringOwner, string])[] = [
  ['deviceId', ' and c.device_id = ?'],
  ['region', ' and exists (select 1 from devices d where d.id = c.device_id and d.region = ?)'],
  ['personId', ' and c.person_id = ?'],
];

export class StoredExpirations implements ExpirationWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async expiring({ kind, after, until, limit, ...owner }: ExpiringFilter): Promise<Expiring[]> {
    const owners = OWNERS.flatMap(([member, condition]) => {
      const id = owner[member];
      return id === undefined ? [] : [{ condition, id }];
    });
    const records = await this.#sql.all(
      `${SOURCES[kind]}${owners.map(({ condition }) => condition).join('')} order by ends_at, id limit ?`,
      time.encode(after),
      time.encode(until),
      ...owners.map(({ id }) => id),
      pageLimit({ limit }),
    );
    return records.map((record) => ({ kind, ...decodeRecord(FOUND, record) }));
  }

  async remember({ kind, id, name, endsAt }: Expiring, at: Date): Promise<boolean> {
    const inserted = await this.#sql.run(
      `insert into reminders (kind, id, name, ends_at, reminded_at) values (?, ?, ?, ?, ?) on conflict do nothing`,
      kind,
      id,
      name,
      time.encode(endsAt),
      time.encode(at),
    );
    return inserted === 1;
  }
}
