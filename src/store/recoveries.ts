import type { KeyState } from '../domain/key-state.ts';
import type { RecoveryKind } from '../domain/recovery.ts';
import type { Page } from '../flows/ports/database.ts';
import type { RecoveryFilter, RecoveryRow, RecoveryWriter } from '../flows/ports/recoveries.ts';
import { listPage, type FilterColumns } from './list.ts';
import type { Sql } from './sql.ts';
import { blob, optional, Table, text, time, word } from './table.ts';

const RECOVERIES = new Table<RecoveryRow>('recoveries', {
  id: text,
  kind: word<RecoveryKind>(),
  keyId: text,
  requestId: optional(text),
  caseId: optional(text),
  recipientSpkiSm3: text,
  recipientCertificate: optional(blob),
  envelopedKey: blob,
  keyState: word<KeyState>(),
  recoveredAt: time,
  auditEvent: text,
});

const FILTER: FilterColumns<RecoveryFilter> = {
  kind: 'kind',
  keyId: 'key_id',
  caseId: 'case_id',
  requestId: 'request_id',
};

export class StoredRecoveries implements RecoveryWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<RecoveryRow | undefined> {
    return RECOVERIES.find(this.#sql, 'where id = ?', id);
  }

  list(filter: RecoveryFilter, page: Page): Promise<RecoveryRow[]> {
    return listPage(this.#sql, RECOVERIES, FILTER, filter, page);
  }

  insert(row: RecoveryRow): Promise<void> {
    return RECOVERIES.insertAll(this.#sql, [row]);
  }
}
