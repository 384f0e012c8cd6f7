import { inOrder, type ApplicationStatus } from '../domain/application.ts';
import { KEY_OPERATIONS, type KeyOperation } from '../domain/managed-key.ts';
import type { ApplicationRow, ApplicationWriter, KeyGrantRow } from '../flows/ports/applications.ts';
import type { Page } from '../flows/ports/database.ts';
import { listPage } from './list.ts';
import type { Sql } from './sql.ts';
import { integer, Table, text, time, won, word, type Column } from './table.ts';

const APPLICATIONS = new Table<ApplicationRow>('applications', {
  id: text,
  name: text,
  unit: text,
  organisation: text,
  status: word<ApplicationStatus>(),
  version: integer,
  registeredAt: time,
  changedAt: time,
  lastAuditEvent: text,
});

/** Names with a space between them. */
const operations: Column<readonly KeyOperation[]> = {
  encode: (names) => names.join(' '),
  decode: (stored) => {
    const names = text.decode(stored).split(' ');
    return inOrder(KEY_OPERATIONS.filter((name) => names.includes(name)));
  },
};

const GRANTS = new Table<KeyGrantRow>('key_grants', {
  applicationId: text,
  keyId: text,
  operations,
  version: integer,
  grantedAt: time,
  changedAt: time,
  lastAuditEvent: text,
});

const CERTIFICATES = new Table<{ readonly certificateId: string; readonly applicationId: string }>(
  'application_certificates',
  { certificateId: text, applicationId: text },
);

export class StoredApplications implements ApplicationWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<ApplicationRow | undefined> {
    return APPLICATIONS.find(this.#sql, 'where id = ?', id);
  }

  list(page: Page): Promise<ApplicationRow[]> {
    return listPage(this.#sql, APPLICATIONS, {}, {}, page);
  }

  ofCertificate(certificateId: string): Promise<ApplicationRow | undefined> {
    return APPLICATIONS.find(
      this.#sql,
      'where id = (select application_id from application_certificates where certificate_id = ?)',
      certificateId,
    );
  }

  async certificatesOf(applicationId: string): Promise<string[]> {
    const rows = await CERTIFICATES.all(this.#sql, 'where application_id = ? order by certificate_id', applicationId);
    return rows.map(({ certificateId }) => certificateId);
  }

  grant(applicationId: string, keyId: string): Promise<KeyGrantRow | undefined> {
    return GRANTS.find(this.#sql, 'where application_id = ? and key_id = ?', applicationId, keyId);
  }

  grantsOf(applicationId: string): Promise<KeyGrantRow[]> {
    return GRANTS.all(this.#sql, 'where application_id = ? order by key_id', applicationId);
  }

  grantsOn(keyId: string): Promise<KeyGrantRow[]> {
    return GRANTS.all(this.#sql, 'where key_id = ? order by application_id', keyId);
  }

  insert(row: ApplicationRow): Promise<boolean> {
    return APPLICATIONS.insert(this.#sql, row);
  }

  move(id: string, from: number, to: ApplicationStatus, at: Date, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update applications set status = ?, version = version + 1, changed_at = ?, last_audit_event = ?
         where id = ? and version = ?`,
        to,
        time.encode(at),
        auditEvent,
        id,
        from,
      ),
    );
  }

  bindCertificate(certificateId: string, applicationId: string): Promise<void> {
    return CERTIFICATES.insertAll(this.#sql, [{ certificateId, applicationId }]);
  }

  putGrant(row: KeyGrantRow): Promise<boolean> {
    if (row.version === 1) return GRANTS.insert(this.#sql, row);
    return won(
      this.#sql.run(
        `update key_grants set operations = ?, version = ?, changed_at = ?, last_audit_event = ?
         where application_id = ? and key_id = ? and version = ?`,
        operations.encode(row.operations),
        row.version,
        time.encode(row.changedAt),
        row.lastAuditEvent,
        row.applicationId,
        row.keyId,
        row.version - 1,
      ),
    );
  }
}
