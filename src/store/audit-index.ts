import type { AuditEntry } from '../flows/ports/audit.ts';
import type { AuditIndexWriter, IndexedKey, IndexEpoch, IndexTile } from '../flows/ports/audit-index.ts';
import { auditEntry } from './audit-reader.ts';
import type { Dialect, Sql } from './sql.ts';
import { blob, decodeRecord, integer, Table, text, time, type Columns } from './table.ts';

const EPOCHS = new Table<IndexEpoch>('audit_index_epochs', {
  epoch: integer,
  size: integer,
  entries: integer,
  root: blob,
  auditEvent: text,
  closedAt: time,
});
const KEY: Columns<IndexedKey> = { key: text, count: integer, nodes: blob };
const SELECT_KEYS = 'select key, count, nodes from audit_index_keys';
const ENTRIES_OF = `select place.idx, event.id, event.canon, place.leaf from audit_index_places found
   join audit_leaf place on place.idx = found.idx join audit_event event on event.id = place.event_id
   where found.key = ? and found.idx >= ? order by found.idx limit ?`;
/** Keys in one statement at most. */
const KEYS_TOGETHER = 2_000;

/** Where the engines differ: lists that come in as one JSON value. */
interface Words {
  /** A JSON array of strings as rows with a column `value`. */
  readonly list: string;
  /** A JSON array of [key, count, nodes in hex] as rows. */
  readonly keys: string;
  /** A JSON array of [key, leaf index] as rows. */
  readonly places: string;
}

const WORDS: Readonly<Record<Dialect['engine'], Words>> = {
  sqlite: {
    list: 'select value from json_each(?)',
    // "where true" tells the grammar that "on conflict" is no join condition.
    keys: `select json_extract(value, '$[0]'), json_extract(value, '$[1]'), unhex(json_extract(value, '$[2]'))
           from json_each(?) where true`,
    places: `select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)`,
  },
  postgresql: {
    list: 'select value from jsonb_array_elements_text(?::jsonb) as value',
    keys: `select value->>0, (value->>1)::bigint, decode(value->>2, 'hex') from jsonb_array_elements(?::jsonb) as value`,
    places: 'select value->>0, (value->>1)::bigint from jsonb_array_elements(?::jsonb) as value',
  },
};

export class StoredAuditIndex implements AuditIndexWriter {
  readonly #sql: Sql;
  readonly #words: Words;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#words = WORDS[sql.dialect.engine];
  }

  newestEpoch(): Promise<IndexEpoch | undefined> {
    return EPOCHS.find(this.#sql, 'order by epoch desc limit 1');
  }

  async findKeys(keys: readonly string[]): Promise<IndexedKey[]> {
    const found: IndexedKey[] = [];
    for (let start = 0; start < keys.length; start += KEYS_TOGETHER) {
      const list = JSON.stringify(keys.slice(start, start + KEYS_TOGETHER));
      found.push(...(await this.#keys(`where key in (${this.#words.list})`, list)));
    }
    return found;
  }

  keysAfter(after: string, limit: number): Promise<IndexedKey[]> {
    return this.#keys('where key > ? order by key limit ?', after, limit);
  }

  async keyBefore(key: string): Promise<IndexedKey | undefined> {
    return (await this.#keys('where key < ? order by key desc limit 1', key))[0];
  }

  async rank(key: string): Promise<number> {
    const [record] = await this.#sql.all('select count(*) as found from audit_index_keys where key < ?', key);
    return integer.decode(record?.['found']);
  }

  async tile(level: number, index: number): Promise<Buffer | undefined> {
    const statement = 'select hashes from audit_index_tiles where level = ? and idx = ?';
    const [record] = await this.#sql.all(statement, level, index);
    return record === undefined ? undefined : blob.decode(record['hashes']);
  }

  async entriesOf(key: string, from: number, limit: number): Promise<AuditEntry[]> {
    return (await this.#sql.all(ENTRIES_OF, key, from, limit)).map(auditEntry);
  }

  async replace(
    epoch: IndexEpoch,
    changed: Parameters<AuditIndexWriter['replace']>[1],
    tiles: readonly IndexTile[],
  ): Promise<boolean> {
    if (((await this.newestEpoch())?.epoch ?? 0) + 1 !== epoch.epoch) return false;
    if (!(await EPOCHS.insert(this.#sql, epoch))) return false;
    for (let start = 0; start < changed.length; start += KEYS_TOGETHER) {
      await this.#writeKeys(changed.slice(start, start + KEYS_TOGETHER));
    }
    await this.#sql.run('delete from audit_index_tiles');
    for (const { level, index, hashes } of tiles) {
      await this.#sql.run('insert into audit_index_tiles (level, idx, hashes) values (?, ?, ?)', level, index, hashes);
    }
    return true;
  }

  async #writeKeys(changed: Parameters<AuditIndexWriter['replace']>[1]): Promise<void> {
    const keys = changed.map(({ key, count, nodes }) => [key, count, nodes.toString('hex')]);
    const places = changed.flatMap(({ key, added }) => added.map((index) => [key, index]));
    await this.#sql.run(
      `insert into audit_index_keys (key, count, nodes) ${this.#words.keys}
       on conflict (key) do update set count = excluded.count, nodes = excluded.nodes`,
      JSON.stringify(keys),
    );
    await this.#sql.run(`insert into audit_index_places (key, idx) ${this.#words.places}`, JSON.stringify(places));
  }

  async #keys(condition: string, ...bindings: (string | number)[]): Promise<IndexedKey[]> {
    return (await this.#sql.all(`${SELECT_KEYS} ${condition}`, ...bindings)).map((record) => decodeRecord(KEY, record));
  }
}
