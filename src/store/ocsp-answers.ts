import type { CertificateStatus, RevocationReason } from '../flows/ports/certificates.ts';
import type { OcspAnswerRow, OcspAnswerWriter, StatusRow, UnansweredFilter } from '../flows/ports/ocsp-answers.ts';
import { pageLimit } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, decodeRecord, optional, Table, text, time, word, type Columns } from './table.ts';

const ANSWERS = new Table<OcspAnswerRow>('ocsp_answers', {
  certIdSm3: text,
  certificateId: text,
  statusEvent: text,
  response: blob,
  thisUpdate: time,
  nextUpdate: time,
});

const STATUS: Columns<StatusRow> = {
  id: text,
  serialNumber: text,
  status: word<CertificateStatus>(),
  revokedAt: optional(time),
  reason: optional(word<RevocationReason>()),
  lastAuditEvent: text,
};

export class StoredOcspAnswers implements OcspAnswerWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  current(certIdSm3: string, at: Date): Promise<OcspAnswerRow | undefined> {
    return ANSWERS.find(
      this.#sql,
      `where cert_id_sm3 = ? and next_update > ?
         and status_event = (select last_audit_event from certificates where id = certificate_id)`,
      certIdSm3,
      time.encode(at),
    );
  }

  async unanswered({ authorityId, at, staleBefore, limit }: UnansweredFilter): Promise<StatusRow[]> {
    const records = await this.#sql.all(
      `select c.id, c.serial_number, c.status, c.revoked_at, c.reason, c.last_audit_event from certificates c
       where c.authority_id = ? and c.not_after > ? and c.status in ('good', 'on-hold', 'revoked')
         and not exists (
           select 1 from ocsp_answers a
           where a.certificate_id = c.id and a.status_event = c.last_audit_event and a.this_update > ?)
       order by c.id limit ?`,
      authorityId,
      time.encode(at),
      time.encode(staleBefore),
      pageLimit({ limit }),
    );
    return records.map((record) => decodeRecord(STATUS, record));
  }

  async put(row: OcspAnswerRow): Promise<void> {
    await this.#sql.run(
      `insert into ocsp_answers (cert_id_sm3, certificate_id, status_event, response, this_update, next_update)
       values (?, ?, ?, ?, ?, ?)
       on conflict (cert_id_sm3) do update set certificate_id = excluded.certificate_id,
         status_event = excluded.status_event, response = excluded.response,
         this_update = excluded.this_update, next_update = excluded.next_update`,
      ...ANSWERS.encode(row),
    );
  }

  purge(before: Date, limit: number): Promise<number> {
    return this.#sql.run(
      `delete from ocsp_answers where cert_id_sm3 in (
         select cert_id_sm3 from ocsp_answers where next_update < ? order by next_update limit ?)`,
      time.encode(before),
      limit,
    );
  }
}
