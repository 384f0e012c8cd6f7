import type { EnrolmentOperation } from '../domain/enrolment.ts';
import { FAILED_STATES, mayMoveEnrolment, UNFINISHED_STATES } from '../domain/enrolment-state.ts';
import { KmcError } from '../errors.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  EnrolmentFilter,
  EnrolmentKey,
  EnrolmentMove,
  EnrolmentRow,
  EnrolmentState,
  EnrolmentWriter,
} from '../flows/ports/enrolments.ts';
import { listPage, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, flag, integer, optional, Table, text, time, won, word } from './table.ts';

const ENROLMENTS = new Table<EnrolmentRow>('enrolments', {
  id: text,
  deviceId: text,
  label: text,
  operation: word<EnrolmentOperation>(),
  spkiSm3: text,
  state: word<EnrolmentState>(),
  version: integer,
  csr: blob,
  tokenId: optional(text),
  requestId: optional(text),
  authorityId: optional(text),
  signSerial: optional(text),
  encSerial: optional(text),
  envelopedKey: optional(blob),
  answerUntil: optional(time),
  bundleVersion: optional(integer),
  reason: optional(text),
  createdAt: time,
  changedAt: time,
  expiresAt: time,
  closed: flag,
});

const UNFINISHED = UNFINISHED_STATES.map((state) => `'${state}'`).join(', ');

const FILTER: FilterColumns<EnrolmentFilter> = { state: 'state', deviceId: 'device_id' };

export class StoredEnrolments implements EnrolmentWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<EnrolmentRow | undefined> {
    return ENROLMENTS.find(this.#sql, 'where id = ?', id);
  }

  findOpen({ deviceId, label, operation, spkiSm3 }: EnrolmentKey): Promise<EnrolmentRow | undefined> {
    return ENROLMENTS.find(
      this.#sql,
      'where device_id = ? and label = ? and operation = ? and spki_sm3 = ? and closed = 0',
      deviceId,
      label,
      operation,
      spkiSm3,
    );
  }

  list(filter: EnrolmentFilter, page: Page): Promise<EnrolmentRow[]> {
    return listPage(this.#sql, ENROLMENTS, FILTER, filter, page);
  }

  overdue(now: Date, limit: number): Promise<EnrolmentRow[]> {
    return ENROLMENTS.all(
      this.#sql,
      `where closed = 0 and state in (${UNFINISHED}) and expires_at <= ?
       order by expires_at, id limit ?`,
      now.toISOString(),
      limit,
    );
  }

  insert(row: EnrolmentRow): Promise<boolean> {
    return ENROLMENTS.insert(this.#sql, row);
  }

  insertAll(rows: readonly EnrolmentRow[]): Promise<void> {
    return ENROLMENTS.insertAll(this.#sql, rows);
  }

  async move({ id, from, to, at, requestId, issued, reason }: EnrolmentMove): Promise<boolean> {
    if (!mayMoveEnrolment(from.state, to)) {
      throw new KmcError('E_STATE', `An enrolment that is ${from.state} cannot become ${to}.`);
    }
    return await won(
      this.#sql.run(
        `update enrolments set state = ?, version = version + 1, changed_at = ?, closed = ?,
           request_id = coalesce(?, request_id), authority_id = coalesce(?, authority_id),
           sign_serial = coalesce(?, sign_serial), enc_serial = coalesce(?, enc_serial),
           enveloped_key = coalesce(?, enveloped_key), answer_until = coalesce(?, answer_until),
           bundle_version = coalesce(?, bundle_version),
           reason = coalesce(?, reason)
         where id = ? and state = ? and version = ? and closed = 0`,
        to,
        at.toISOString(),
        flag.encode(FAILED_STATES.includes(to)),
        requestId ?? null,
        issued?.authorityId ?? null,
        issued?.signSerial ?? null,
        issued?.encSerial ?? null,
        issued?.envelopedKey ?? null,
        issued?.answerUntil.toISOString() ?? null,
        issued?.bundleVersion ?? null,
        reason ?? null,
        id,
        from.state,
        from.version,
      ),
    );
  }

  close(id: string, at: Date): Promise<boolean> {
    return won(
      this.#sql.run(
        `update enrolments set closed = 1, enveloped_key = null, version = version + 1, changed_at = ?
         where id = ? and closed = 0`,
        at.toISOString(),
        id,
      ),
    );
  }

  closeOf(deviceId: string, at: Date): Promise<number> {
    return this.#sql.run(
      `update enrolments set closed = 1, enveloped_key = null, version = version + 1, changed_at = ?
       where device_id = ? and closed = 0`,
      at.toISOString(),
      deviceId,
    );
  }

  eraseDue(now: Date): Promise<number> {
    return this.#sql.run(
      `update enrolments set closed = 1, enveloped_key = null, version = version + 1, changed_at = ?
       where closed = 0 and answer_until <= ?`,
      now.toISOString(),
      now.toISOString(),
    );
  }
}
