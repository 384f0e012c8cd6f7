import type { ActionName } from '../domain/action.ts';
import { FINAL_STATES, type RequestState } from '../domain/approval/state.ts';
import type { ApprovalClass } from '../domain/quorum.ts';
import type { Page } from '../flows/ports/database.ts';
import type { RequestFilter, RequestMove, RequestRow, RequestWriter } from '../flows/ports/requests.ts';
import { listPage, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, integer, optional, Table, text, time, won, word } from './table.ts';

const REQUESTS = new Table<RequestRow>('requests', {
  id: text,
  digest: text,
  canonical: blob,
  op: word<ActionName>(),
  class: word<ApprovalClass>(),
  state: word<RequestState>(),
  version: integer,
  proposer: text,
  target: text,
  preState: text,
  targetVersion: text,
  policyDigest: text,
  createdAt: time,
  expiresAt: time,
  quorumAt: optional(time),
  changedAt: time,
  lastAuditEvent: text,
});

const FILTER: FilterColumns<RequestFilter> = { state: 'state', op: 'op', proposer: 'proposer', target: 'target' };
const NOT_FINAL = `state not in (${FINAL_STATES.map((state) => `'${state}'`).join(', ')})`;

export class StoredRequests implements RequestWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<RequestRow | undefined> {
    return REQUESTS.find(this.#sql, 'where id = ?', id);
  }

  findByDigest(digest: string): Promise<RequestRow | undefined> {
    return REQUESTS.find(this.#sql, 'where digest = ?', digest);
  }

  list(filter: RequestFilter, page: Page): Promise<RequestRow[]> {
    return listPage(this.#sql, REQUESTS, FILTER, filter, page);
  }

  overdue(now: Date, limit: number): Promise<RequestRow[]> {
    return REQUESTS.all(
      this.#sql,
      `where ${NOT_FINAL} and expires_at <= ? order by expires_at, id limit ?`,
      now.toISOString(),
      limit,
    );
  }

  stuck(since: Date, limit: number): Promise<RequestRow[]> {
    return REQUESTS.all(
      this.#sql,
      "where state = 'EXECUTING' and changed_at < ? order by changed_at, id limit ?",
      since.toISOString(),
      limit,
    );
  }

  insert(row: RequestRow): Promise<boolean> {
    return REQUESTS.insert(this.#sql, row);
  }

  lock(id: string): Promise<RequestRow | undefined> {
    return REQUESTS.find(this.#sql, `where id = ?${this.#sql.dialect.forUpdate}`, id);
  }

  move({ id, from, to, at, auditEvent }: RequestMove): Promise<boolean> {
    const movedAt = at.toISOString();
    return won(
      this.#sql.run(
        `update requests set state = ?, version = version + 1, changed_at = ?,
           quorum_at = case when ? = 'QUORUM' then ? else quorum_at end, last_audit_event = ?
         where id = ? and state = ? and version = ?`,
        to,
        movedAt,
        to,
        movedAt,
        auditEvent,
        id,
        from.state,
        from.version,
      ),
    );
  }
}
