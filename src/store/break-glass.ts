import type { SealedAccountId } from '../domain/break-glass.ts';
import type {
  BreakGlassReview,
  BreakGlassRow,
  BreakGlassWriter,
  IssuancePause,
  SealedAccountRow,
} from '../flows/ports/break-glass.ts';
import type { Sql } from './sql.ts';
import { blob, integer, optional, Table, text, time, won, word } from './table.ts';

const ACCOUNTS = new Table<SealedAccountRow>('sealed_accounts', {
  id: word<SealedAccountId>(),
  bag: text,
  certificateSm3: text,
  kid: text,
  certificate: blob,
  state: word<SealedAccountRow['state']>(),
  version: integer,
  sealedAt: time,
  lastAuditEvent: text,
});

const SESSIONS = new Table<BreakGlassRow>('break_glass', {
  id: text,
  reason: text,
  statements: text,
  openedAt: time,
  expiresAt: time,
  endedAt: optional(time),
  lastAuditEvent: text,
});

const REVIEWS = new Table<BreakGlassReview>('break_glass_reviews', {
  session: text,
  person: text,
  report: text,
  findings: text,
  at: time,
});

const PAUSES = new Table<IssuancePause>('issuance_pause', {
  pausedAt: time,
  reason: text,
  session: text,
  lastAuditEvent: text,
});

export class StoredBreakGlass implements BreakGlassWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  accounts(): Promise<SealedAccountRow[]> {
    return ACCOUNTS.all(this.#sql, 'order by id');
  }

  accountByCertificate(certificateSm3: string): Promise<SealedAccountRow | undefined> {
    return ACCOUNTS.find(this.#sql, 'where certificate_sm3 = ?', certificateSm3);
  }

  accountByKey(kid: string): Promise<SealedAccountRow | undefined> {
    return ACCOUNTS.find(this.#sql, 'where kid = ?', kid);
  }

  find(session: string): Promise<BreakGlassRow | undefined> {
    return SESSIONS.find(this.#sql, 'where id = ?', session);
  }

  unended(): Promise<BreakGlassRow | undefined> {
    return SESSIONS.find(this.#sql, 'where ended_at is null');
  }

  sessions(): Promise<BreakGlassRow[]> {
    return SESSIONS.all(this.#sql, 'order by opened_at, id');
  }

  reviews(session: string): Promise<BreakGlassReview[]> {
    return REVIEWS.all(this.#sql, 'where session = ? order by at, person', session);
  }

  pause(): Promise<IssuancePause | undefined> {
    return PAUSES.find(this.#sql, '');
  }

  async seal(account: Omit<SealedAccountRow, 'version' | 'state'>, before: number | undefined): Promise<boolean> {
    if (before === undefined) return ACCOUNTS.insert(this.#sql, { ...account, state: 'sealed', version: 1 });
    return won(
      this.#sql.run(
        `update sealed_accounts set bag = ?, certificate_sm3 = ?, kid = ?, certificate = ?, state = 'sealed',
           version = version + 1, sealed_at = ?, last_audit_event = ? where id = ? and version = ?`,
        account.bag,
        account.certificateSm3,
        account.kid,
        account.certificate,
        account.sealedAt.toISOString(),
        account.lastAuditEvent,
        account.id,
        before,
      ),
    );
  }

  use(id: SealedAccountId, version: number, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        `update sealed_accounts set state = 'used', version = version + 1, last_audit_event = ?
         where id = ? and version = ? and state = 'sealed'`,
        auditEvent,
        id,
        version,
      ),
    );
  }

  open(session: Omit<BreakGlassRow, 'endedAt'>): Promise<boolean> {
    return SESSIONS.insert(this.#sql, { ...session, endedAt: undefined });
  }

  end(session: string, at: Date, auditEvent: string): Promise<boolean> {
    return won(
      this.#sql.run(
        'update break_glass set ended_at = ?, last_audit_event = ? where id = ? and ended_at is null',
        at.toISOString(),
        auditEvent,
        session,
      ),
    );
  }

  review(review: BreakGlassReview): Promise<boolean> {
    return REVIEWS.insert(this.#sql, review);
  }

  pauseIssuance(pause: IssuancePause): Promise<boolean> {
    return PAUSES.insert(this.#sql, pause);
  }

  resumeIssuance(): Promise<boolean> {
    return won(this.#sql.run('delete from issuance_pause'));
  }
}
