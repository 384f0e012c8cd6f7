import type { ExecutionRow, ExecutionWriter } from '../flows/ports/executions.ts';
import type { Sql } from './sql.ts';
import { optional, Table, text, time, won } from './table.ts';

const EXECUTIONS = new Table<ExecutionRow>('executions', { requestDigest: text, at: time, result: optional(text) });

export class StoredExecutions implements ExecutionWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(requestDigest: string): Promise<ExecutionRow | undefined> {
    return EXECUTIONS.find(this.#sql, 'where request_digest = ?', requestDigest);
  }

  insert(row: ExecutionRow): Promise<boolean> {
    return EXECUTIONS.insert(this.#sql, row);
  }

  complete(requestDigest: string, result: string): Promise<boolean> {
    return won(
      this.#sql.run(
        'update executions set result = ? where request_digest = ? and result is null',
        result,
        requestDigest,
      ),
    );
  }
}
