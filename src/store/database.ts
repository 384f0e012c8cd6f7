/** Opens the database of an instance: SQLite or PostgreSQL, behind the same port. */
import { EXCLUDED_PAIRS } from '../domain/roles.ts';
import { KmcError } from '../errors.ts';
import type { AuditLog } from '../flows/ports/audit.ts';
import type { RestorationRow } from '../flows/ports/backups.ts';
import type { DatabaseCopy } from '../flows/ports/database-copy.ts';
import type { Database, Reader, Transaction } from '../flows/ports/database.ts';
import type { AuditSettings } from './audit-events.ts';
import { StoredAuditLog } from './audit-log.ts';
import { StoredBackups } from './backups.ts';
import { ClosableEngine } from './closable-engine.ts';
import { copiedTables, fillTables, type FilledTable } from './database-copy.ts';
import type { Engine } from './engine.ts';
import { migrationsNamed } from './migrate.ts';
import { MIGRATIONS, type Migration } from './migrations/index.ts';
import { openPostgres } from './postgres.ts';
import { roleExclusionsStand, writeRoleExclusions, type ExcludedPair } from './role-exclusions.ts';
import { openSqlite } from './sqlite.ts';
import { readerOn, transactionOn } from './transaction.ts';

export interface DatabaseOptions {
  /** `sqlite:<file>`, the path of a file, or `postgres://...`. */
  readonly url: string;
  /** Roles that never stand in one person; the role table of the domain unless policy adds to it. */
  readonly excludedRoles?: readonly ExcludedPair[];
  /** How audit events are written; without it every append fails, so that nothing can be changed. */
  readonly audit?: AuditSettings;
  /** Connections to PostgreSQL at most. */
  readonly connections?: number;
}

export interface KmcDatabase extends Database {
  readonly engine: 'sqlite' | 'postgresql';
  /** For backups. */
  readonly copy: DatabaseCopy;
  /** For the sequencer and the signer. */
  readonly auditLog: AuditLog;
  /** Rejects with E_STORAGE when the database does not answer: for the readiness check. */
  ping(): Promise<void>;
  /** Waits for what is under way and closes every connection. */
  close(): Promise<void>;
}

const DEFAULT_CONNECTIONS = 10;

/**
 * Opens the database, makes or migrates its schema, and checks that what it confirms is durable. Two processes may open
 * the same file or the same PostgreSQL database at the same time.
 * @throws KmcError E_CONFIG for an address of another kind, a server that would lose commits or a schema of a newer
 * version; E_INTEGRITY for a damaged file, or people with roles that exclude each other; E_STORAGE.
 */
export async function openDatabase(options: DatabaseOptions): Promise<KmcDatabase> {
  const engine = new ClosableEngine(await openEngine(options));
  const database = new StoredDatabase(engine, options.audit);
  try {
    const pairs = options.excludedRoles ?? EXCLUDED_PAIRS;
    if (!(await engine.read((sql) => roleExclusionsStand(sql, pairs)))) {
      await engine.transaction((sql) => writeRoleExclusions(sql, pairs));
    }
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Of a copy out of a database, or into one: hours, since it grows with the estate. */
const COPY_LIMIT_MS = 6 * 3_600_000;

/** What is written with the rows of a backup, so that nobody serves them before the restore is done. */
export type BegunRestoration = Omit<RestorationRow, 'finishedAt'>;

/**
 * Fills an empty database with the rows of a backup, all or nothing; then it stands as the backup shows it, under the
 * schema of that time, and `openDatabase` brings it up to date.
 * @param schema the migrations that the backup names.
 * @returns how many rows.
 * @throws KmcError E_EXISTS for a database that holds anything but what an interrupted restore left; E_CONFIG for the
 * backup of a newer version; E_INTEGRITY; E_STORAGE; what `tables` throws.
 */
export async function fillDatabase(
  options: Pick<DatabaseOptions, 'url'>,
  schema: readonly string[],
  tables: AsyncIterable<FilledTable>,
  restoration: BegunRestoration,
): Promise<number> {
  const engine = await openEngine(options, migrationsNamed(schema));
  try {
    return await engine.transaction(async (sql) => {
      const rows = await fillTables(sql, tables);
      await new StoredBackups(sql).beginRestoration(restoration);
      return rows;
    }, COPY_LIMIT_MS);
  } finally {
    await engine.close();
  }
}

class StoredDatabase implements KmcDatabase {
  readonly engine: KmcDatabase['engine'];
  readonly copy: DatabaseCopy;
  readonly auditLog: AuditLog;
  readonly #engine: Engine;
  readonly #audit: AuditSettings | undefined;

  constructor(engine: Engine, audit: AuditSettings | undefined) {
    this.engine = engine.name;
    this.copy = {
      schema: MIGRATIONS.map(({ name }) => name),
      copy: (work) => engine.snapshot((sql) => work(readerOn(sql), copiedTables(sql)), COPY_LIMIT_MS),
    };
    this.auditLog = new StoredAuditLog(engine);
    this.#engine = engine;
    this.#audit = audit;
  }

  read<T>(work: (reader: Reader) => Promise<T>): Promise<T> {
    return this.#engine.read((sql) => work(readerOn(sql)));
  }

  snapshot<T>(work: (reader: Reader) => Promise<T>): Promise<T> {
    return this.#engine.snapshot((sql) => work(readerOn(sql)));
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#engine.transaction((sql) => work(transactionOn(sql, this.#audit)));
  }

  async ping(): Promise<void> {
    await this.#engine.read((sql) => sql.all('select 1'));
  }

  close(): Promise<void> {
    return this.#engine.close();
  }
}

async function openEngine({ url, connections }: DatabaseOptions, migrations?: readonly Migration[]): Promise<Engine> {
  if (/^postgres(?:ql)?:\/\//.test(url)) return openPostgres(url, connections ?? DEFAULT_CONNECTIONS, migrations);
  const file = url.replace(/^sqlite:(?:\/\/)?/, '');
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(file)) {
    throw new KmcError('E_CONFIG', 'The database is of another kind. Use sqlite:<file> or postgres://<address>.');
  }
  if (file === '' || file === ':memory:') {
    throw new KmcError('E_CONFIG', 'The database address names no file. Use sqlite:<file> or postgres://<address>.');
  }
  return openSqlite(file, migrations);
}
