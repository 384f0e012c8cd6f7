import type {
  ReissueCount,
  ReissueItemCount,
  ReissueItemRow,
  ReissueJobRow,
  ReissueRow,
  ReissueWriter,
} from '../flows/ports/reissues.ts';
import type { Sql } from './sql.ts';
import { pageLimit } from './list.ts';
import { blob, decodeRecord, integer, optional, Table, text, time, won, word, type Columns } from './table.ts';

const REISSUES = new Table<ReissueRow>('reissues', {
  rootSm3: text,
  deviceId: text,
  enrolmentId: text,
  issuedAt: time,
});
const COUNT: Columns<ReissueCount> = { region: text, reissued: integer, total: integer };

const JOBS = new Table<ReissueJobRow>('reissue_jobs', {
  id: text,
  upgradeId: text,
  perMinute: integer,
  createdBy: text,
  createdAt: time,
  workedAt: time,
  lastAuditEvent: text,
});
const ITEMS = new Table<ReissueItemRow>('reissue_items', {
  jobId: text,
  deviceId: text,
  csr: blob,
  signature: blob,
  certificateSm3: text,
  state: word<ReissueItemRow['state']>(),
  code: optional(text),
  doneAt: optional(time),
});
const ITEM_COUNT: Columns<ReissueItemCount> = {
  region: text,
  state: word<ReissueItemRow['state']>(),
  count: integer,
};

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

  job(id: string): Promise<ReissueJobRow | undefined> {
    return JOBS.find(this.#sql, 'where id = ?', id);
  }

  openJobs(): Promise<ReissueJobRow[]> {
    return JOBS.all(
      this.#sql,
      `where exists (select 1 from reissue_items i where i.job_id = reissue_jobs.id and i.state = 'waiting') order by id`,
    );
  }

  waiting(jobId: string, limit: number): Promise<ReissueItemRow[]> {
    const condition = "where job_id = ? and state = 'waiting' order by device_id limit ?";
    return ITEMS.all(this.#sql, condition, jobId, pageLimit({ limit }));
  }

  refused(jobId: string, limit: number): Promise<ReissueItemRow[]> {
    const condition = "where job_id = ? and state = 'refused' order by device_id limit ?";
    return ITEMS.all(this.#sql, condition, jobId, pageLimit({ limit }));
  }

  async itemCounts(jobId: string): Promise<ReissueItemCount[]> {
    const records = await this.#sql.all(
      `select d.region, i.state, count(*) as count from reissue_items i join devices d on d.id = i.device_id
       where i.job_id = ? group by d.region, i.state order by d.region, i.state`,
      jobId,
    );
    return records.map((record) => decodeRecord(ITEM_COUNT, record));
  }

  async insertJob(row: ReissueJobRow, items: readonly ReissueItemRow[]): Promise<void> {
    await JOBS.insertAll(this.#sql, [row]);
    await ITEMS.insertAll(this.#sql, items);
  }

  beginBatch({ id, workedAt }: Pick<ReissueJobRow, 'id' | 'workedAt'>, at: Date): Promise<boolean> {
    return won(
      this.#sql.run(
        'update reissue_jobs set worked_at = ? where id = ? and worked_at = ?',
        time.encode(at),
        id,
        time.encode(workedAt),
      ),
    );
  }

  finishItem(
    { jobId, deviceId }: ReissueItemRow,
    state: 'issued' | 'refused',
    code: string | undefined,
    at: Date,
  ): Promise<boolean> {
    return won(
      this.#sql.run(
        `update reissue_items set state = ?, code = ?, done_at = ?
         where job_id = ? and device_id = ? and state = 'waiting'`,
        state,
        code ?? null,
        time.encode(at),
        jobId,
        deviceId,
      ),
    );
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
