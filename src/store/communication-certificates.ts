import type {
  CommunicationCertificateRow,
  CommunicationCertificateWriter,
  CommunicationState,
} from '../flows/ports/communication-certificates.ts';
import type { Sql } from './sql.ts';
import { blob, integer, Table, text, time, won, word } from './table.ts';

const CERTIFICATES = new Table<CommunicationCertificateRow>('communication_certificates', {
  id: text,
  authorityId: text,
  certificate: blob,
  certificateSm3: text,
  spkiSm3: text,
  notBefore: time,
  notAfter: time,
  state: word<CommunicationState>(),
  version: integer,
  registeredAt: time,
  lastAuditEvent: text,
});

export class StoredCommunicationCertificates implements CommunicationCertificateWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  activeOf(authorityId: string): Promise<CommunicationCertificateRow | undefined> {
    return CERTIFICATES.find(this.#sql, "where authority_id = ? and state = 'active'", authorityId);
  }

  active(): Promise<CommunicationCertificateRow[]> {
    return CERTIFICATES.all(this.#sql, "where state = 'active' order by authority_id");
  }

  insert(row: CommunicationCertificateRow): Promise<boolean> {
    return CERTIFICATES.insert(this.#sql, row);
  }

  replace(id: string, version: number, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update communication_certificates set state = 'replaced', version = version + 1, last_audit_event = ?
         where id = ? and version = ? and state = 'active'`,
        auditEvent,
        id,
        version,
      ),
    );
  }
}
