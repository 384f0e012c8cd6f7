import type { SupervisedState, SupervisedStatus, Weakness } from '../domain/supervised-authority.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  StandingCertificate,
  StandingChange,
  SupervisedAuthorityFilter,
  SupervisedAuthorityRow,
  SupervisedAuthorityWriter,
  SupervisedCertificateFilter,
  SupervisedCertificateRow,
  SupervisedCount,
  SupervisedCrlRow,
  SupervisedFetchRow,
} from '../flows/ports/supervised-authorities.ts';
import { listPage, pageLimit, type FilterColumns } from './list.ts';
import { byCount, type Sql } from './sql.ts';
import {
  blob,
  decodeRecord,
  integer,
  names,
  natural,
  optional,
  ROWS_TOGETHER,
  Table,
  text,
  time,
  won,
  word,
  type Column,
  type Columns,
} from './table.ts';

const AUTHORITIES = new Table<SupervisedAuthorityRow>('supervised_authorities', {
  id: text,
  region: text,
  name: text,
  subject: blob,
  spkiSm3: text,
  certificate: blob,
  crlUrl: text,
  certificatesUrl: optional(text),
  state: word<SupervisedState>(),
  version: integer,
  registeredAt: time,
  changedAt: time,
  lastAuditEvent: text,
});

const FETCHES = new Table<SupervisedFetchRow>('supervised_fetches', {
  authorityId: text,
  triedAt: time,
  succeededAt: optional(time),
  failures: integer,
  failure: optional(text),
});

const CERTIFICATES = new Table<SupervisedCertificateRow>('supervised_certificates', {
  id: text,
  authorityId: text,
  serialNumber: text,
  certificateSm3: text,
  certificate: blob,
  subject: blob,
  algorithm: text,
  signatureAlgorithm: text,
  notBefore: time,
  notAfter: time,
  status: word<SupervisedStatus>(),
  revokedAt: optional(time),
  weaknesses: names as Column<readonly Weakness[]>,
  findings: names,
  importedAt: time,
  lastAuditEvent: text,
});

const CRLS = new Table<SupervisedCrlRow>('supervised_crls', {
  id: text,
  authorityId: text,
  number: natural,
  thisUpdate: time,
  nextUpdate: time,
  crlSm3: text,
  crl: blob,
  entries: integer,
  importedAt: time,
  lastAuditEvent: text,
});

const AUTHORITY_FILTER: FilterColumns<SupervisedAuthorityFilter> = { region: 'region', state: 'state' };
const CERTIFICATE_FILTER: FilterColumns<SupervisedCertificateFilter> = {
  authorityId: 'authority_id',
  status: 'status',
};
const STANDING: Columns<StandingCertificate> = { id: text, serialNumber: text, status: word<SupervisedStatus>() };
const COUNT: Columns<SupervisedCount> = {
  algorithm: text,
  valid: integer,
  expired: integer,
  revoked: integer,
  weak: integer,
  faulty: integer,
};

const VALID = "status = 'good' and not_after > ?";

const CHANGE_STANDING = byCount(
  ROWS_TOGETHER,
  (rows) => `update supervised_certificates set status = given.column2, revoked_at = given.column3,
     last_audit_event = given.column4
   from (values ${rows('(?, ?, ?, ?)')}) as given
   where id = given.column1`,
);

export class StoredSupervisedAuthorities implements SupervisedAuthorityWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<SupervisedAuthorityRow | undefined> {
    return AUTHORITIES.find(this.#sql, 'where id = ?', id);
  }

  findByKey(spkiSm3: string): Promise<SupervisedAuthorityRow | undefined> {
    return AUTHORITIES.find(this.#sql, "where spki_sm3 = ? and state = 'active'", spkiSm3);
  }

  list(filter: SupervisedAuthorityFilter, page: Page): Promise<SupervisedAuthorityRow[]> {
    return listPage(this.#sql, AUTHORITIES, AUTHORITY_FILTER, filter, page);
  }

  fetchOf(authorityId: string): Promise<SupervisedFetchRow | undefined> {
    return FETCHES.find(this.#sql, 'where authority_id = ?', authorityId);
  }

  certificates(filter: SupervisedCertificateFilter, page: Page): Promise<SupervisedCertificateRow[]> {
    return listPage(this.#sql, CERTIFICATES, CERTIFICATE_FILTER, filter, page);
  }

  certificateBySerial(authorityId: string, serialNumber: string): Promise<SupervisedCertificateRow | undefined> {
    return CERTIFICATES.find(this.#sql, 'where authority_id = ? and serial_number = ?', authorityId, serialNumber);
  }

  async standing(authorityId: string, page: Page): Promise<StandingCertificate[]> {
    const records = await this.#sql.all(
      `select id, serial_number, status from supervised_certificates
       where authority_id = ? and id > ? order by id limit ?`,
      authorityId,
      page.after ?? '',
      pageLimit(page),
    );
    return records.map((record) => decodeRecord(STANDING, record));
  }

  async counts(authorityId: string, now: Date): Promise<SupervisedCount[]> {
    const at = time.encode(now);
    const records = await this.#sql.all(
      `select algorithm,
         coalesce(sum(case when ${VALID} then 1 else 0 end), 0) as valid,
         coalesce(sum(case when status = 'good' and not_after <= ? then 1 else 0 end), 0) as expired,
         coalesce(sum(case when status <> 'good' then 1 else 0 end), 0) as revoked,
         coalesce(sum(case when ${VALID} and weaknesses <> '[]' then 1 else 0 end), 0) as weak,
         coalesce(sum(case when ${VALID} and findings <> '[]' then 1 else 0 end), 0) as faulty
       from supervised_certificates where authority_id = ? group by algorithm order by algorithm`,
      at,
      at,
      at,
      at,
      authorityId,
    );
    return records.map((record) => decodeRecord(COUNT, record));
  }

  newestCrl(authorityId: string): Promise<SupervisedCrlRow | undefined> {
    return CRLS.find(this.#sql, 'where authority_id = ? order by this_update desc, id desc limit 1', authorityId);
  }

  insert(row: SupervisedAuthorityRow): Promise<boolean> {
    return AUTHORITIES.insert(this.#sql, row);
  }

  replace(row: SupervisedAuthorityRow, version: number): Promise<boolean> {
    return won(
      this.#sql.run(
        `update supervised_authorities set region = ?, name = ?, crl_url = ?, certificates_url = ?, state = ?,
           changed_at = ?, last_audit_event = ?, version = version + 1
         where id = ? and version = ?`,
        row.region,
        row.name,
        row.crlUrl,
        row.certificatesUrl ?? null,
        row.state,
        time.encode(row.changedAt),
        row.lastAuditEvent,
        row.id,
        version,
      ),
    );
  }

  touch(id: string, version: number, at: Date, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update supervised_authorities set changed_at = ?, last_audit_event = ?, version = version + 1
         where id = ? and version = ? and state = 'active'`,
        time.encode(at),
        auditEvent,
        id,
        version,
      ),
    );
  }

  insertCertificates(rows: readonly SupervisedCertificateRow[]): Promise<void> {
    return CERTIFICATES.insertAll(this.#sql, rows);
  }

  async changeStanding(changes: readonly StandingChange[], auditEvent: string): Promise<void> {
    for (let start = 0; start < changes.length; start += ROWS_TOGETHER) {
      const part = changes.slice(start, start + ROWS_TOGETHER);
      const given = part.flatMap(({ id, status, revokedAt }) => [
        id,
        status,
        revokedAt === undefined ? null : time.encode(revokedAt),
        auditEvent,
      ]);
      await this.#sql.run(CHANGE_STANDING(part.length), ...given);
    }
  }

  insertCrl(row: SupervisedCrlRow): Promise<boolean> {
    return CRLS.insert(this.#sql, row);
  }

  async recordFetch(row: SupervisedFetchRow): Promise<void> {
    const encoded = FETCHES.encode(row);
    await this.#sql.run(
      `insert into supervised_fetches (${FETCHES.columns.join(', ')}) values (?, ?, ?, ?, ?)
       on conflict (authority_id) do update set tried_at = excluded.tried_at, succeeded_at = excluded.succeeded_at,
         failures = excluded.failures, failure = excluded.failure`,
      ...encoded,
    );
  }
}
