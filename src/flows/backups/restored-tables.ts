/** The records of a backup as tables that a database takes in. */
import type { BackupRecord } from '../../domain/backup/backup-record.ts';
import type { CopiedTable } from '../ports/database-copy.ts';
import type { ReadBackup } from './read-backup.ts';

/**
 * Not filled in again: the notes that were signed under the name of the log of before. They stay in the backup, and with
 * whoever pulled them.
 */
const LEFT_OUT = ['audit_checkpoint'];

export class RestoredTables {
  readonly #records: AsyncGenerator<BackupRecord, ReadBackup>;
  #waiting: BackupRecord | undefined;
  /** The newest note of the audit log, once all was read. */
  note: string | undefined;
  /** Set once the backup was read, and proved, to its end. */
  read: ReadBackup | undefined;

  constructor(records: AsyncGenerator<BackupRecord, ReadBackup>) {
    this.#records = records;
  }

  /** Every table with its rows; ends after the signature was verified. @throws what the records throw. */
  async *tables(): AsyncGenerator<CopiedTable> {
    for (;;) {
      const record = this.#waiting ?? (await this.#next());
      this.#waiting = undefined;
      if (record === undefined) return;
      if (record.kind === 'checkpoint') this.note = record.note;
      if (record.kind !== 'table') continue;
      const rows = this.#rows();
      if (!LEFT_OUT.includes(record.name)) yield { name: record.name, columns: record.columns, rows };
      // What the caller left of them.
      for await (const row of rows) void row;
    }
  }

  async *#rows(): AsyncGenerator<CopiedTable['rows'] extends AsyncIterable<infer Row> ? Row : never> {
    for (;;) {
      const record = await this.#next();
      if (record?.kind !== 'row') {
        this.#waiting = record;
        return;
      }
      yield record.values;
    }
  }

  async #next(): Promise<BackupRecord | undefined> {
    const next = await this.#records.next();
    if (next.done !== true) return next.value;
    this.read = next.value;
    return undefined;
  }
}
