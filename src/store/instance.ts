import type { InstanceEntry, InstanceWriter } from '../flows/ports/instance.ts';
import type { Sql } from './sql.ts';
import { integer, Table, text, won, word } from './table.ts';

interface EntryRow {
  readonly entry: InstanceEntry;
  readonly value: string;
}

const ENTRIES = new Table<EntryRow>('instance_entries', { entry: word<InstanceEntry>(), value: text });

export class StoredInstance implements InstanceWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async get(entry: InstanceEntry): Promise<string | undefined> {
    return (await ENTRIES.find(this.#sql, 'where entry = ?', entry))?.value;
  }

  async keystoreEpoch(): Promise<number> {
    const [record] = await this.#sql.all('select epoch from keystore_epoch');
    return integer.decode(record?.['epoch']);
  }

  establish(entry: InstanceEntry, value: string): Promise<boolean> {
    return ENTRIES.insert(this.#sql, { entry, value });
  }

  replace(entry: InstanceEntry, from: string, to: string): Promise<boolean> {
    return won(this.#sql.run('update instance_entries set value = ? where entry = ? and value = ?', to, entry, from));
  }

  advanceKeystoreEpoch(from: number): Promise<boolean> {
    return won(this.#sql.run('update keystore_epoch set epoch = epoch + 1 where epoch = ?', from));
  }
}
