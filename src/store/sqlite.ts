/** The SQLite engine: one writer, a few readers, one file (security-and-faults 5.2, audit-log 3.5). */
import { closeSync, openSync } from 'node:fs';
import knexLibrary, { type Knex } from 'knex';
import type { Database } from 'sqlite3';
import { KmcError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { sqliteFault } from './fault.ts';
import { migrate } from './migrate.ts';
import type { Migration } from './migrations/index.ts';
import { SILENT_LOG, type RawPool } from './pool.ts';
import { runWork, Session, type Dialect, type Sql } from './sql.ts';
import { APPLICATION_ID, pragmaValue, prepareDatabase, SqliteConnection } from './sqlite-connection.ts';
import { SqliteWriter } from './sqlite-writer.ts';

const READERS = 3;

/**
 * Opens or makes the file, checks it, and brings its schema up to date, or to the migrations that are given.
 * @throws KmcError E_INTEGRITY for a damaged file, E_CONFIG for one of another program or a newer version, E_STORAGE.
 */
export async function openSqlite(file: string, migrations?: readonly Migration[]): Promise<Engine> {
  createPrivately(file);
  const writers = connect(file, false, 1);
  const readers = connect(file, true, READERS);
  try {
    await checkFile(writers);
    await migrate(writers, 'sqlite', migrations);
    return await SqliteEngine.start(writers, readers);
  } catch (error) {
    await Promise.all([writers.destroy(), readers.destroy()]);
    throw sqliteFault(error).error;
  }
}

class SqliteEngine implements Engine {
  readonly name = 'sqlite';
  readonly #writers: Knex;
  readonly #readers: Knex;
  readonly #dialect: Dialect;
  readonly #writerConnection: SqliteConnection;
  readonly #writerDatabase: Database;
  readonly #writer: SqliteWriter;
  readonly #readerConnections = new Map<Database, SqliteConnection>();

  static async start(writers: Knex, readers: Knex): Promise<SqliteEngine> {
    return new SqliteEngine(writers, readers, await rawPool(writers).acquireConnection());
  }

  private constructor(writers: Knex, readers: Knex, writerDatabase: Database) {
    this.#writers = writers;
    this.#readers = readers;
    this.#dialect = { engine: 'sqlite', forUpdate: '', forUpdateSkipLocked: '', builder: writers };
    this.#writerDatabase = writerDatabase;
    this.#writerConnection = new SqliteConnection(writerDatabase, this.#dialect);
    this.#writer = new SqliteWriter(this.#writerConnection);
  }

  transaction<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    return this.#writer.transaction(work, limitMs);
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#withReader((connection) => runWork(new Session(connection), work));
  }

  snapshot<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    return this.#withReader(async (connection) => {
      const session = new Session(connection);
      await session.run('BEGIN');
      try {
        return await runWork(session, work, limitMs);
      } finally {
        await connection.run('ROLLBACK', []).catch(() => 0); // then there is nothing to end
      }
    });
  }

  async close(): Promise<void> {
    await this.#drop(this.#readers, [...this.#readerConnections.values()]);
    // The last connection writes the log back into the file; of two that close at once neither would.
    rawPool(this.#writers).releaseConnection(this.#writerDatabase);
    await this.#drop(this.#writers, [this.#writerConnection]);
  }

  async #drop(pool: Knex, connections: readonly SqliteConnection[]): Promise<void> {
    await Promise.all(connections.map((connection) => connection.finalize()));
    await pool.destroy();
  }

  async #withReader<T>(use: (connection: SqliteConnection) => Promise<T>): Promise<T> {
    const pool = rawPool(this.#readers);
    const database = await pool.acquireConnection().catch((error: unknown) => {
      throw sqliteFault(error).error;
    });
    try {
      return await use(this.#reader(database));
    } finally {
      pool.releaseConnection(database);
    }
  }

  #reader(database: Database): SqliteConnection {
    const known = this.#readerConnections.get(database);
    if (known !== undefined) return known;
    const connection = new SqliteConnection(database, this.#dialect);
    this.#readerConnections.set(database, connection);
    return connection;
  }
}

function connect(file: string, readOnly: boolean, connections: number): Knex {
  return knexLibrary({
    client: 'sqlite3',
    connection: { filename: file },
    useNullAsDefault: true,
    log: SILENT_LOG,
    // The pool never drops one: its prepared statements would keep it from closing.
    pool: {
      min: connections,
      max: connections,
      afterCreate: (database: Database, done: (error: unknown, database: Database) => void) => {
        prepareDatabase(database, readOnly).then(
          () => done(null, database),
          (error: unknown) => done(error, database),
        );
      },
    },
  });
}

function rawPool(knex: Knex): RawPool<Database> {
  return knex.client as RawPool<Database>;
}

/** The file holds sealed keys and personal data: nobody else reads it. WAL and index files get the same mode. */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
  } catch (cause) {
    throw new KmcError(
      'E_STORAGE',
      'The database file cannot be opened. Check that its folder exists and may be written.',
      { cause },
    );
  }
}

async function checkFile(writers: Knex): Promise<void> {
  const pool = rawPool(writers);
  const database = await pool.acquireConnection();
  try {
    const applicationId = await pragmaValue(database, 'application_id');
    const schemaVersion = await pragmaValue(database, 'schema_version');
    if (applicationId !== APPLICATION_ID && schemaVersion !== 0) {
      throw new KmcError('E_CONFIG', 'The database file belongs to another program. Name another file.');
    }
    if ((await pragmaValue(database, 'integrity_check(1)')) !== 'ok') {
      throw new KmcError('E_INTEGRITY', 'The database is damaged. Stop the service and restore the last backup.');
    }
  } finally {
    pool.releaseConnection(database);
  }
}
