/**
 * The whole of a database as rows of its tables, so that a backup of one engine fills the other, and a copy needs no
 * second file on a disk: it is sealed as it is read.
 */
import type { StoredValue } from '../../domain/backup/backup-record.ts';
import type { Reader } from './database.ts';

export interface CopiedTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** In the order in which the database holds them, page by page. */
  readonly rows: AsyncIterable<readonly StoredValue[]>;
}

export interface DatabaseCopy {
  /** The migrations that made the tables, in their order. */
  readonly schema: readonly string[];
  /**
   * Every table at one moment, while writers go on. The iterables are good until `work` ends, one after the other.
   * @throws KmcError E_STORAGE, E_INTEGRITY.
   */
  copy<T>(work: (reader: Reader, tables: AsyncIterable<CopiedTable>) => Promise<T>): Promise<T>;
}
