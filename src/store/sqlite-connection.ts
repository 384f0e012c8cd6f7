/** One connection to a SQLite file: prepared statements, and the settings that durability depends on. */
import type { Database, Statement } from 'sqlite3';
import { KmcError } from '../errors.ts';
import { sqliteFault, type Fault } from './fault.ts';
import { pauseWithJitter } from './pause.ts';
import type { Binding, Dialect, SqlRecord } from './sql.ts';
import type { WriterConnection } from './sqlite-writer.ts';

/** "KMC1": marks the file as ours. */
export const APPLICATION_ID = 0x4b4d4331;

const BUSY_TIMEOUT_MS = 5_000;
/** Statements that stay prepared; what is built for a list may come in many forms. */
const PREPARED_LIMIT = 300;
const WAL_ATTEMPTS = 500;

/** Settings of every connection and what must be read back (security-and-faults 5.2). */
const SETTINGS: readonly (readonly [pragma: string, value: string, readBack: string | number])[] = [
  ['synchronous', 'FULL', 2],
  ['foreign_keys', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  // KiB, of each connection; the 2 MB of SQLite make it read the pages of indexes again and again.
  ['cache_size', '-32768', -32768],
  ['busy_timeout', String(BUSY_TIMEOUT_MS), BUSY_TIMEOUT_MS],
];

export class SqliteConnection implements WriterConnection {
  readonly dialect: Dialect;
  readonly #database: Database;
  readonly #prepared = new Map<string, Statement>();

  constructor(database: Database, dialect: Dialect) {
    this.#database = database;
    this.dialect = dialect;
  }

  async all(statement: string, bindings: readonly Binding[]): Promise<SqlRecord[]> {
    const prepared = this.#prepared.get(statement) ?? (await this.#prepare(statement));
    return new Promise((resolve, reject) => {
      prepared.all<SqlRecord>(bindings, (error, rows) => {
        if (error) reject(error);
        else resolve(rows);
      });
    });
  }

  async run(statement: string, bindings: readonly Binding[]): Promise<number> {
    const prepared = this.#prepared.get(statement) ?? (await this.#prepare(statement));
    return new Promise((resolve, reject) => {
      prepared.run(bindings, function (error) {
        if (error) reject(error);
        else resolve(this.changes);
      });
    });
  }

  fault(error: unknown): Fault {
    return sqliteFault(error);
  }

  async beginImmediate(): Promise<boolean> {
    // SQLite's own waiting grows to 100 ms a step and would starve beside a busy writer; the caller waits in small steps.
    this.#database.configure('busyTimeout', 0);
    try {
      await this.run('BEGIN IMMEDIATE', []);
      return true;
    } catch (error) {
      if (sqliteFault(error).kind === 'collision') return false;
      throw error;
    } finally {
      this.#database.configure('busyTimeout', BUSY_TIMEOUT_MS);
    }
  }

  /** Gives the prepared statements back; the connection cannot be closed before. */
  async finalize(): Promise<void> {
    const statements = [...this.#prepared.values()];
    this.#prepared.clear();
    await Promise.all(
      statements.map((statement) => new Promise<void>((resolve) => statement.finalize(() => resolve()))),
    );
  }

  async #prepare(text: string): Promise<Statement> {
    const prepared = await new Promise<Statement>((resolve, reject) => {
      const statement = this.#database.prepare(text, (error: Error | null) => {
        if (error) reject(error);
        else resolve(statement);
      });
    });
    const [oldest] = this.#prepared.size < PREPARED_LIMIT ? [] : this.#prepared.keys();
    if (oldest !== undefined) {
      this.#prepared.get(oldest)?.finalize();
      this.#prepared.delete(oldest);
    }
    this.#prepared.set(text, prepared);
    return prepared;
  }
}

/**
 * Sets a fresh connection up and reads every setting back. `readOnly` connections refuse to write.
 * @throws the driver's error; KmcError E_STORAGE when a setting does not hold.
 */
export async function prepareDatabase(database: Database, readOnly: boolean): Promise<void> {
  database.configure('busyTimeout', BUSY_TIMEOUT_MS);
  await writeAheadLog(database);
  for (const [pragma, value, readBack] of SETTINGS) {
    await pragmaValue(database, `${pragma} = ${value}`);
    requireSetting(pragma, await pragmaValue(database, pragma), readBack);
  }
  if (readOnly) await pragmaValue(database, 'query_only = ON');
}

/** The value that a PRAGMA statement returns, if it returns one. */
export async function pragmaValue(database: Database, pragma: string): Promise<unknown> {
  const rows = await new Promise<SqlRecord[]>((resolve, reject) => {
    database.all<SqlRecord>(`PRAGMA ${pragma}`, (error: Error | null, result: SqlRecord[]) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
  return Object.values(rows[0] ?? {})[0];
}

async function writeAheadLog(database: Database): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      requireSetting('journal_mode', await pragmaValue(database, 'journal_mode = WAL'), 'wal');
      return;
    } catch (error) {
      // The change of mode needs the file alone and does not wait for another process that opens it too.
      if (sqliteFault(error).kind !== 'collision' || attempt === WAL_ATTEMPTS) throw error;
      await pauseWithJitter(10);
    }
  }
}

function requireSetting(pragma: string, value: unknown, wanted: string | number): void {
  if (value === wanted) return;
  throw new KmcError(
    'E_STORAGE',
    `SQLite does not accept the setting ${pragma}, so what it stores would not be safe. Use a local file system.`,
  );
}
