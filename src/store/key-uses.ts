import type { KeyUseBlock, KeyUseWriter } from '../flows/ports/key-uses.ts';
import type { Sql } from './sql.ts';
import { flag, integer, Table, text, time, won } from './table.ts';

const BLOCKS = new Table<KeyUseBlock>('key_use_blocks', {
  id: text,
  versionId: text,
  size: integer,
  limited: flag,
  reservedAt: time,
});

export class StoredKeyUses implements KeyUseWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async reserved(versionId: string): Promise<number> {
    const [record] = await this.#sql.all('select reserved from key_use_totals where version_id = ?', versionId);
    return record === undefined ? 0 : integer.decode(record['reserved']);
  }

  blocksBefore(at: Date, limit: number): Promise<KeyUseBlock[]> {
    return BLOCKS.all(this.#sql, 'where reserved_at < ? order by reserved_at, id limit ?', time.encode(at), limit);
  }

  async reserve(block: KeyUseBlock, limit: number | undefined): Promise<boolean> {
    if (limit !== undefined && !(await this.#raise(block, limit))) return false;
    await BLOCKS.insertAll(this.#sql, [block]);
    return true;
  }

  async settle({ id, versionId, limited }: KeyUseBlock, unused: number): Promise<boolean> {
    if (!(await won(this.#sql.run('delete from key_use_blocks where id = ?', id)))) return false;
    if (limited && unused > 0) {
      await this.#sql.run('update key_use_totals set reserved = reserved - ? where version_id = ?', unused, versionId);
    }
    return true;
  }

  async #raise({ versionId, size }: KeyUseBlock, limit: number): Promise<boolean> {
    if (size > limit) return false;
    return await won(
      this.#sql.run(
        `insert into key_use_totals (version_id, reserved) values (?, ?)
         on conflict (version_id) do update set reserved = key_use_totals.reserved + excluded.reserved
         where key_use_totals.reserved + excluded.reserved <= ?`,
        versionId,
        size,
        limit,
      ),
    );
  }
}
