import type { WorkCursorWriter } from '../flows/ports/work-cursors.ts';
import type { Sql } from './sql.ts';
import { text, time } from './table.ts';

export class StoredWorkCursors implements WorkCursorWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async position(name: string): Promise<string | undefined> {
    const [record] = await this.#sql.all('select position from work_cursors where name = ?', name);
    return record === undefined ? undefined : text.decode(record['position']);
  }

  async set(name: string, position: string, at: Date): Promise<void> {
    await this.#sql.run(
      `insert into work_cursors (name, position, changed_at) values (?, ?, ?)
       on conflict (name) do update set position = excluded.position, changed_at = excluded.changed_at`,
      name,
      position,
      time.encode(at),
    );
  }
}
