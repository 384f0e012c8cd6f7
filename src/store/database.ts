/** Opens the database of an instance: SQLite or PostgreSQL, behind the same port. */
import { EXCLUDED_PAIRS } from '../domain/roles.ts';
import { KmcError } from '../errors.ts';
import type { AuditLog } from '../flows/ports/audit.ts';
import type { Database, Reader, Transaction } from '../flows/ports/database.ts';
import type { AuditSettings } from './audit-events.ts';
import { StoredAuditLog } from './audit-log.ts';
import { ClosableEngine } from './closable-engine.ts';
import type { Engine } from './engine.ts';
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

class StoredDatabase implements KmcDatabase {
  readonly engine: KmcDatabase['engine'];
  readonly auditLog: AuditLog;
  readonly #engine: Engine;
  readonly #audit: AuditSettings | undefined;

  constructor(engine: Engine, audit: AuditSettings | undefined) {
    this.engine = engine.name;
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

async function openEngine({ url, connections }: DatabaseOptions): Promise<Engine> {
  if (/^postgres(?:ql)?:\/\//.test(url)) return openPostgres(url, connections ?? DEFAULT_CONNECTIONS);
  const file = url.replace(/^sqlite:(?:\/\/)?/, '');
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(file)) {
    throw new KmcError('E_CONFIG', 'The database is of another kind. Use sqlite:<file> or postgres://<address>.');
  }
  if (file === '' || file === ':memory:') {
    throw new KmcError('E_CONFIG', 'The database address names no file. Use sqlite:<file> or postgres://<address>.');
  }
  return openSqlite(file);
}
