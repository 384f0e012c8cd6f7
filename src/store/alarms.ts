import type { AlarmKind } from '../domain/supervision/alarms.ts';
import type { AlarmFilter, AlarmRow, AlarmWriter, OverdueCount } from '../flows/ports/alarms.ts';
import type { Page } from '../flows/ports/database.ts';
import { filtered, pageLimit, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, integer, optional, Table, text, time, won, word, type Columns } from './table.ts';

const ALARMS = new Table<AlarmRow>('alarms', {
  id: text,
  kind: word<AlarmKind>(),
  subject: text,
  region: optional(text),
  says: text,
  raisedAt: time,
  clearedAt: optional(time),
  lastAuditEvent: text,
});

const FILTER: FilterColumns<Omit<AlarmFilter, 'open'>> = { kind: 'kind', region: 'region' };
const OVERDUE: Columns<OverdueCount> = { registrationAuthority: text, count: integer };

export class StoredAlarms implements AlarmWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  open(): Promise<AlarmRow[]> {
    return ALARMS.all(this.#sql, 'where cleared_at is null order by id');
  }

  async list({ open, ...filter }: AlarmFilter, page: Page): Promise<AlarmRow[]> {
    const query = filtered(this.#sql, ALARMS, FILTER, filter).orderBy('id').limit(pageLimit(page));
    if (open === true) query.whereNull('cleared_at');
    if (page.after !== undefined) query.where('id', '>', page.after);
    return (await this.#sql.query(query)).map((record) => ALARMS.decode(record));
  }

  async overdueRenewals(after: Date, until: Date): Promise<OverdueCount[]> {
    const records = await this.#sql.all(
      `select d.registration_authority as registration_authority, count(*) as count
       from certificates c join devices d on d.id = c.device_id
       where c.status = 'good' and c.not_after > ? and c.not_after <= ? and d.status = 'in-service'
         and not exists (select 1 from certificates n where n.device_id = c.device_id and n.profile = c.profile
                           and n.status = 'good' and n.not_after > c.not_after)
       group by d.registration_authority order by d.registration_authority`,
      time.encode(after),
      time.encode(until),
    );
    return records.map((record) => decodeRecord(OVERDUE, record));
  }

  raise(row: AlarmRow): Promise<boolean> {
    return ALARMS.insert(this.#sql, row);
  }

  clear(id: string, at: Date, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        'update alarms set cleared_at = ?, last_audit_event = ? where id = ? and cleared_at is null',
        time.encode(at),
        auditEvent,
        id,
      ),
    );
  }
}
