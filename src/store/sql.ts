/**
 * How the stores speak to a database. Both engines take the same statements: standard SQL with `?` for values, and the
 * few words that differ come from the dialect. Statements are constants in the code, so that each connection prepares
 * them once; what a caller chooses (filters of a list) is built by knex, with bound values.
 */
import type { Knex } from 'knex';
import { KmcError } from '../errors.ts';
import type { Fault } from './fault.ts';

export type Binding = string | number | Buffer | null;
export type SqlRecord = Readonly<Record<string, unknown>>;

export interface Dialect {
  readonly engine: 'sqlite' | 'postgresql';
  /** Ends a SELECT whose rows stay locked until the transaction ends. SQLite has one writer, so nothing. */
  readonly forUpdate: string;
  /** The same, but passes over rows that another transaction holds. */
  readonly forUpdateSkipLocked: string;
  /** Builds statements, never runs them. */
  readonly builder: Knex;
}

/** One connection of a driver. Both methods reject with the driver's own errors. */
export interface Connection {
  readonly dialect: Dialect;
  /** The rows of a query, or what a RETURNING clause returns. */
  all(statement: string, bindings: readonly Binding[]): Promise<SqlRecord[]>;
  /** Runs a statement and returns how many rows it changed. */
  run(statement: string, bindings: readonly Binding[]): Promise<number>;
  /** What an error of this driver means. */
  fault(error: unknown): Fault;
}

/** What a store sees: statements of one unit of work. Rejects with KmcError only. */
export interface Sql {
  readonly dialect: Dialect;
  all(statement: string, ...bindings: Binding[]): Promise<SqlRecord[]>;
  run(statement: string, ...bindings: Binding[]): Promise<number>;
  /** Runs a query that knex built. */
  query(builder: Knex.QueryBuilder): Promise<SqlRecord[]>;
}

/**
 * The statements of one transaction or one read. They run one after another, whatever the caller awaits. After the
 * first that fails nothing more runs and the work cannot be committed: SQLite would let it go on, PostgreSQL would not.
 */
export class Session implements Sql {
  readonly dialect: Dialect;
  readonly #connection: Connection;
  #tail: Promise<unknown> = Promise.resolve();
  #open = true;
  #fault: Fault | undefined;

  constructor(connection: Connection) {
    this.dialect = connection.dialect;
    this.#connection = connection;
  }

  /** The first failure, if there was one. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  all(statement: string, ...bindings: Binding[]): Promise<SqlRecord[]> {
    return this.#next(() => this.#connection.all(statement, bindings));
  }

  run(statement: string, ...bindings: Binding[]): Promise<number> {
    return this.#next(() => this.#connection.run(statement, bindings));
  }

  query(builder: Knex.QueryBuilder): Promise<SqlRecord[]> {
    const { sql, bindings } = builder.toSQL().toNative();
    return this.all(sql, ...(bindings as readonly Binding[]));
  }

  /** Waits for the statements under way; after that nothing runs through this session any more. */
  async end(): Promise<void> {
    this.#open = false;
    await this.#tail;
  }

  #next<T>(statement: () => Promise<T>): Promise<T> {
    if (!this.#open) {
      return Promise.reject(
        new KmcError('E_INTERNAL', 'A unit of work was used after its end: a call in it was not awaited.'),
      );
    }
    const result = this.#tail.then(() => this.#attempt(statement));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #attempt<T>(statement: () => Promise<T>): Promise<T> {
    if (this.#fault !== undefined) throw this.#fault.error;
    try {
      return await statement();
    } catch (error) {
      this.#fault = this.#connection.fault(error);
      throw this.#fault.error;
    }
  }
}

/** One statement for each number of rows from 1 to `limit`, made when it is first asked for and the same text ever after. */
export function byCount(
  limit: number,
  statement: (rows: (row: string) => string) => string,
): (count: number) => string {
  const made = new Map<number, string>();
  return (count) => {
    const known = made.get(count);
    if (known !== undefined) return known;
    if (count < 1 || count > limit) throw new KmcError('E_INTERNAL', 'A statement has too many rows, or none.');
    const text = statement((row) => Array.from({ length: count }, () => row).join(', '));
    made.set(count, text);
    return text;
  };
}

const WORK_LIMIT_MS = 30_000;

/**
 * Runs the work of one session to its end. Rejects when the work threw, when any of its statements failed (even if the
 * work went on), and with E_STORAGE when it takes longer than 30 s, or than it is given, since others wait for it.
 */
export async function runWork<T>(
  session: Session,
  work: (sql: Sql) => Promise<T>,
  limitMs: number = WORK_LIMIT_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooSlow()), limitMs);
  });
  try {
    const result = await Promise.race([work(session), limit]);
    await session.end();
    if (session.fault !== undefined) throw session.fault.error;
    return result;
  } finally {
    clearTimeout(timer);
    await session.end();
  }
}

function tooSlow(): KmcError {
  return new KmcError(
    'E_STORAGE',
    'A unit of work took too long and was given up. Nothing of it was stored; try again.',
  );
}
