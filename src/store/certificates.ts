import type { Page } from '../flows/ports/database.ts';
import type {
  CertificateCount,
  CertificateFilter,
  CertificateRow,
  CertificateStatus,
  CertificateWriter,
  FinishedCertificate,
  RevocationReason,
  RevokedEntry,
  RevokedPage,
  RevokedRow,
} from '../flows/ports/certificates.ts';
import { listPage, pageLimit, type FilterColumns } from './list.ts';
import type { Binding, Sql } from './sql.ts';
import { blob, decodeRecord, integer, optional, Table, text, time, won, word, type Columns } from './table.ts';

const CERTIFICATES = new Table<CertificateRow>('certificates', {
  id: text,
  authorityId: text,
  serialNumber: text,
  status: word<CertificateStatus>(),
  subject: blob,
  spkiSm3: text,
  profile: text,
  notBefore: time,
  notAfter: time,
  certificate: optional(blob),
  certificateSm3: optional(text),
  certificateSha256: optional(text),
  source: word<CertificateRow['source']>(),
  pairId: optional(text),
  deviceId: optional(text),
  shard: optional(text),
  revokedAt: optional(time),
  reason: optional(word<RevocationReason>()),
  invalidityDate: optional(time),
  createdAt: time,
  lastAuditEvent: text,
});

const REVOKED: Columns<RevokedRow> = {
  serialNumber: text,
  revokedAt: time,
  reason: word<RevocationReason>(),
  invalidityDate: optional(time),
  notAfter: time,
};

/** As in the condition of the partial indexes; with bound values they would not be used. */
const IS_REVOKED = "status in ('revoked', 'on-hold')";

const COUNT: Columns<CertificateCount> = {
  authorityId: text,
  profile: text,
  status: word<CertificateStatus>(),
  count: integer,
};

const FILTER: FilterColumns<CertificateFilter> = {
  authorityId: 'authority_id',
  deviceId: 'device_id',
  status: 'status',
  profile: 'profile',
  pairId: 'pair_id',
};

const DIGEST_COLUMNS: readonly (readonly [prefix: string, column: string])[] = [
  ['sm3:', 'certificate_sm3'],
  ['sha256:', 'certificate_sha256'],
];

export class StoredCertificates implements CertificateWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<CertificateRow | undefined> {
    return CERTIFICATES.find(this.#sql, 'where id = ?', id);
  }

  findBySerial(authorityId: string, serialNumber: string): Promise<CertificateRow | undefined> {
    return CERTIFICATES.find(this.#sql, 'where authority_id = ? and serial_number = ?', authorityId, serialNumber);
  }

  async findByDigest(digest: string): Promise<CertificateRow | undefined> {
    const [, column] = DIGEST_COLUMNS.find(([prefix]) => digest.startsWith(prefix)) ?? [];
    return column === undefined ? undefined : CERTIFICATES.find(this.#sql, `where ${column} = ?`, digest);
  }

  findByKey(spkiSm3: string): Promise<CertificateRow[]> {
    return CERTIFICATES.all(this.#sql, 'where spki_sm3 = ? order by id', spkiSm3);
  }

  list(filter: CertificateFilter, page: Page): Promise<CertificateRow[]> {
    return listPage(this.#sql, CERTIFICATES, FILTER, filter, page);
  }

  async revoked(authorityId: string, page: RevokedPage): Promise<RevokedRow[]> {
    const { after = '', shard } = page;
    const limit = pageLimit(page);
    const from = async (range: string, ...bindings: Binding[]): Promise<RevokedRow[]> => {
      const records = await this.#sql.all(
        `select serial_number, revoked_at, reason, invalidity_date, not_after from certificates
         where authority_id = ? and ${IS_REVOKED} ${shard === undefined ? '' : 'and shard = ?'} and ${range} limit ?`,
        authorityId,
        ...(shard === undefined ? [] : [shard]),
        ...bindings,
      );
      return records.map((record) => decodeRecord(REVOKED, record));
    };
    // Two ranges of the index, each in its order: under one condition SQLite goes through all of it for every page.
    const alike = await from(
      'length(serial_number) = ? and serial_number > ? order by serial_number',
      after.length,
      after,
      limit,
    );
    if (alike.length === limit) return alike;
    const longer = 'length(serial_number) > ? order by length(serial_number), serial_number';
    return [...alike, ...(await from(longer, after.length, limit - alike.length))];
  }

  async wasRevokedSince(authorityId: string, since: Date, deviceProfiles: readonly string[]): Promise<boolean> {
    const query = this.#sql.dialect
      .builder('certificates as c')
      .join('devices as d', 'd.id', 'c.device_id')
      .select('c.id')
      .where('c.authority_id', authorityId)
      .whereRaw(`c.${IS_REVOKED}`)
      .where('c.revoked_at', '>', time.encode(since))
      .whereIn('d.profile', deviceProfiles)
      .limit(1);
    return (await this.#sql.query(query)).length > 0;
  }

  staleReservations(before: Date, limit: number): Promise<CertificateRow[]> {
    return CERTIFICATES.all(
      this.#sql,
      "where status = 'reserved' and created_at < ? order by created_at, id limit ?",
      time.encode(before),
      limit,
    );
  }

  async counts(): Promise<CertificateCount[]> {
    const records = await this.#sql.all(
      `select authority_id, profile, status, count(*) as count from certificates
       group by authority_id, profile, status order by authority_id, profile, status`,
    );
    return records.map((record) => decodeRecord(COUNT, record));
  }

  insert(row: CertificateRow): Promise<boolean> {
    return CERTIFICATES.insert(this.#sql, row);
  }

  insertAll(rows: readonly CertificateRow[]): Promise<void> {
    return CERTIFICATES.insertAll(this.#sql, rows);
  }

  finish(id: string, finished: FinishedCertificate, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update certificates set status = 'good', certificate = ?, certificate_sm3 = ?, certificate_sha256 = ?,
           last_audit_event = ?
         where id = ? and status = 'reserved'`,
        finished.certificate,
        finished.certificateSm3,
        finished.certificateSha256,
        auditEvent,
        id,
      ),
    );
  }

  abort(id: string, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        "update certificates set status = 'aborted', last_audit_event = ? where id = ? and status = 'reserved'",
        auditEvent,
        id,
      ),
    );
  }

  revoke(
    id: string,
    from: 'good' | 'on-hold',
    { revokedAt, reason, invalidityDate }: Omit<RevokedEntry, 'serialNumber'>,
    auditEvent: string,
  ): Promise<boolean> {
    const held = reason === 'certificateHold';
    return won(
      this.#sql.run(
        `update certificates set status = ?, revoked_at = ?, reason = ?, invalidity_date = ?, last_audit_event = ?
         where id = ? and status = ?`,
        held ? 'on-hold' : 'revoked',
        time.encode(revokedAt),
        reason,
        optional(time).encode(invalidityDate),
        auditEvent,
        id,
        // A hold begins from good alone.
        held ? 'good' : from,
      ),
    );
  }

  release(id: string, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update certificates set status = 'good', revoked_at = null, reason = null, invalidity_date = null,
           last_audit_event = ?
         where id = ? and status = 'on-hold'`,
        auditEvent,
        id,
      ),
    );
  }
}
