/** The PostgreSQL engine: READ COMMITTED, durable commits, bounded waiting (security-and-faults 5.3). */
import knexLibrary, { type Knex } from 'knex';
import type { Client } from 'pg';
import { KmcError } from '../errors.ts';
import { RETRY_LIMIT_MS, type Engine } from './engine.ts';
import { postgresFault, unknownCommit } from './fault.ts';
import { migrate } from './migrate.ts';
import type { Migration } from './migrations/index.ts';
import { pauseWithJitter } from './pause.ts';
import { SILENT_LOG, type RawPool } from './pool.ts';
import { PostgresConnection, TYPE_READERS } from './postgres-connection.ts';
import { runWork, Session, type Dialect, type Sql } from './sql.ts';

const OLDEST_VERSION = 150_000;
const ACQUIRE_TIMEOUT_MS = 2_800;
const CONNECT_TIMEOUT_MS = 2_500;
const LOCK_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 200;

/** Of every connection. */
const SETTINGS = [
  "set default_transaction_isolation = 'read committed'",
  "set timezone = 'UTC'",
  `set lock_timeout = ${LOCK_TIMEOUT_MS}`,
].join('; ');

/** What the server must answer for a committed change to be durable. */
const DURABLE: readonly (readonly [setting: string, accepted: readonly string[]])[] = [
  ['synchronous_commit', ['on', 'remote_apply']],
  ['fsync', ['on']],
  ['full_page_writes', ['on']],
];

type Attempt<T> =
  | { readonly stored: true; readonly value: T }
  | { readonly stored: false; readonly error: unknown; readonly collided: boolean };

/** Connections in an unknown state: the pool drops them instead of handing them out again. */
const BROKEN = new WeakSet<Client>();

/**
 * Connects and brings the schema up to date, or to the migrations that are given.
 * @throws KmcError E_CONFIG when the server is too old, would lose commits or holds a newer schema; E_STORAGE.
 */
export async function openPostgres(
  url: string,
  connections: number,
  migrations?: readonly Migration[],
): Promise<Engine> {
  const knex = connect(url, connections);
  try {
    await checkServer(knex);
    await migrate(knex, 'postgresql', migrations);
    return new PostgresEngine(knex);
  } catch (error) {
    await knex.destroy();
    throw postgresFault(error).error;
  }
}

class PostgresEngine implements Engine {
  readonly name = 'postgresql';
  readonly #knex: Knex;
  readonly #dialect: Dialect;
  readonly #connections = new WeakMap<Client, PostgresConnection>();

  constructor(knex: Knex) {
    this.#knex = knex;
    this.#dialect = {
      engine: 'postgresql',
      forUpdate: ' for update',
      forUpdateSkipLocked: ' for update skip locked',
      builder: knex,
    };
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#withConnection(async (connection, client) => {
      const session = new Session(connection);
      try {
        return await runWork(session, work);
      } finally {
        if (session.fault?.kind === 'storage') BROKEN.add(client);
      }
    });
  }

  snapshot<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    return this.#withConnection(async (connection, client) => {
      await this.#command(connection, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      try {
        return await runWork(new Session(connection), work, limitMs);
      } finally {
        await rollBack(connection, client);
      }
    });
  }

  async transaction<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    const deadline = performance.now() + RETRY_LIMIT_MS;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const outcome = await this.#withConnection((connection, client) =>
        this.#attempt(connection, client, work, limitMs),
      );
      if (outcome.stored) return outcome.value;
      if (!outcome.collided || performance.now() + pause > deadline) throw outcome.error;
      await pauseWithJitter(pause);
    }
  }

  async close(): Promise<void> {
    await this.#knex.destroy();
  }

  async #attempt<T>(
    connection: PostgresConnection,
    client: Client,
    work: (sql: Sql) => Promise<T>,
    limitMs: number | undefined,
  ): Promise<Attempt<T>> {
    await this.#command(connection, 'BEGIN');
    const session = new Session(connection);
    let value: T;
    try {
      value = await runWork(session, work, limitMs);
    } catch (error) {
      // A connection in doubt is dropped: the server rolls back by itself, and may not answer.
      if (session.fault?.kind === 'storage') BROKEN.add(client);
      else await rollBack(connection, client);
      return { stored: false, error, collided: session.fault?.kind === 'collision' };
    }
    try {
      const command = await connection.command('COMMIT');
      if (command === 'COMMIT') return { stored: true, value };
      throw new KmcError('E_STORAGE', 'The database did not store the change. Try again.');
    } catch (error) {
      const fault = postgresFault(error);
      BROKEN.add(client);
      const known = isAnswer(error);
      return {
        stored: false,
        error: known ? fault.error : unknownCommit(fault.error.cause),
        collided: known && fault.kind === 'collision',
      };
    }
  }

  async #command(connection: PostgresConnection, text: string): Promise<void> {
    await connection.command(text).catch((error: unknown) => {
      throw postgresFault(error).error;
    });
  }

  async #withConnection<T>(use: (connection: PostgresConnection, client: Client) => Promise<T>): Promise<T> {
    const pool = rawPool(this.#knex);
    const client = await pool.acquireConnection().catch((error: unknown) => {
      throw postgresFault(error).error;
    });
    try {
      return await use(this.#wrap(client), client);
    } finally {
      pool.releaseConnection(client);
    }
  }

  #wrap(client: Client): PostgresConnection {
    const known = this.#connections.get(client);
    if (known !== undefined) return known;
    const connection = new PostgresConnection(client, this.#dialect);
    this.#connections.set(client, connection);
    return connection;
  }
}

/** True when the server itself refused the commit: then nothing was stored. */
function isAnswer(error: unknown): boolean {
  return error instanceof KmcError || (error instanceof Error && 'severity' in error && !isShutdown(error));
}

function isShutdown(error: Error): boolean {
  return (
    'code' in error && typeof error.code === 'string' && (error.code.startsWith('57P') || error.code.startsWith('08'))
  );
}

async function rollBack(connection: PostgresConnection, client: Client): Promise<void> {
  try {
    await connection.command('ROLLBACK');
  } catch {
    BROKEN.add(client);
  }
}

function connect(url: string, connections: number): Knex {
  return knexLibrary({
    client: 'pg',
    connection: {
      connectionString: url,
      application_name: 'kmc',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      // For a server that fell silent: it answers with the end of the statement long before.
      query_timeout: STATEMENT_TIMEOUT_MS + LOCK_TIMEOUT_MS,
      types: TYPE_READERS,
    },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    log: SILENT_LOG,
    pool: {
      min: 0,
      max: connections,
      validate: (client: Client) => !BROKEN.has(client),
      afterCreate: (client: Client, done: (error: unknown, client: Client) => void) => {
        client.query(SETTINGS).then(
          () => done(null, client),
          (error: unknown) => done(error, client),
        );
      },
    },
  });
}

function rawPool(knex: Knex): RawPool<Client> {
  return knex.client as RawPool<Client>;
}

async function checkServer(knex: Knex): Promise<void> {
  const version = await setting(knex, 'server_version_num');
  if (Number(version) < OLDEST_VERSION) {
    throw new KmcError('E_CONFIG', 'The PostgreSQL server is older than version 15. Use a newer one.');
  }
  for (const [name, accepted] of DURABLE) {
    const value = await setting(knex, name);
    if (accepted.includes(value)) continue;
    throw new KmcError(
      'E_CONFIG',
      `PostgreSQL runs with ${name} = ${value}, so it could lose what it has confirmed. Set it to ${accepted.join(' or ')}.`,
    );
  }
}

async function setting(knex: Knex, name: string): Promise<string> {
  const { rows } = await knex.raw<{ rows: { value: string }[] }>('select current_setting(?) as value', [name]);
  return rows[0]?.value ?? '';
}
