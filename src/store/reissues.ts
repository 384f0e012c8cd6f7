import type { ReissueCount, ReissueRow, ReissueWriter } from '../flows/ports/reissues.ts';
import type { Sql } from './sql.ts';
import { decodeRecord, integer, Table, text, time, won, type Columns } from './table.ts';

const REISSUES = new Table<ReissueRow>('reissues', {
  rootSm3: text,
  deviceId: text,
  enrolmentId: text,
  issuedAt: time,
});
const COUNT: Columns<ReissueCount> = { region: text, reissued: integer, total: integer };

export class StoredReissues implements ReissueWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(rootSm3: string, deviceId: string): Promise<ReissueRow | undefined> {
    return REISSUES.find(this.#sql, 'where root_sm3 = ? and device_id = ?', rootSm3, deviceId);
  }

  async progress(rootSm3: string): Promise<ReissueCount[]> {
    const records = await this.#sql.all(
      `select d.region, count(r.device_id) as reissued, count(*) as total
       from devices d left join reissues r on r.device_id = d.id and r.root_sm3 = ?
       where d.status = 'in-service' and d.kind = 'gateway' group by d.region order by d.region`,
      rootSm3,
    );
    return records.map((record) => decodeRecord(COUNT, record));
  }

  async claim(row: ReissueRow): Promise<boolean> {
    if (await REISSUES.insert(this.#sql, row)) return true;
    // In the place of a pair that was revoked: the key of a device may be lost.
    return won(
      this.#sql.run(
        `update reissues set enrolment_id = ?, issued_at = ?
         where root_sm3 = ? and device_id = ? and exists (
           select 1 from enrolments e join certificates c
             on c.authority_id = e.authority_id and c.serial_number = e.sign_serial
           where e.id = reissues.enrolment_id and c.status = 'revoked')`,
        row.enrolmentId,
        time.encode(row.issuedAt),
        row.rootSm3,
        row.deviceId,
      ),
    );
  }
}
