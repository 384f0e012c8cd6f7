/** One connection to PostgreSQL: named prepared statements over the pg package. */
import type { Client, QueryResult } from 'pg';
import { postgresFault, type Fault } from './fault.ts';
import type { Binding, Connection, Dialect, SqlRecord } from './sql.ts';

interface Prepared {
  readonly text: string;
  /** Absent for statements beyond the limit: those are parsed anew each time. */
  readonly name?: string;
}

/** The same for all connections. Statements are constants in the code, but for the lists that knex builds. */
const PREPARED = new Map<string, Prepared>();
const NAMED_LIMIT = 300;
const REMEMBERED_LIMIT = 2_000;

export class PostgresConnection implements Connection {
  readonly dialect: Dialect;
  readonly #client: Client;

  constructor(client: Client, dialect: Dialect) {
    this.#client = client;
    this.dialect = dialect;
  }

  async all(statement: string, bindings: readonly Binding[]): Promise<SqlRecord[]> {
    return (await this.#query(statement, bindings)).rows;
  }

  async run(statement: string, bindings: readonly Binding[]): Promise<number> {
    return (await this.#query(statement, bindings)).rowCount ?? 0;
  }

  fault(error: unknown): Fault {
    return postgresFault(error);
  }

  /** A command without values, such as BEGIN; returns what the server calls it. */
  async command(text: string): Promise<string> {
    return (await this.#client.query(text)).command;
  }

  #query(statement: string, bindings: readonly Binding[]): Promise<QueryResult<SqlRecord>> {
    return this.#client.query<SqlRecord, Binding[]>({ ...prepared(statement), values: [...bindings] });
  }
}

function prepared(statement: string): Prepared {
  const known = PREPARED.get(statement);
  if (known !== undefined) return known;
  let position = 0;
  const text = statement.replaceAll('?', () => `$${(position += 1)}`);
  const made = PREPARED.size < NAMED_LIMIT ? { text, name: `kmc${PREPARED.size}` } : { text };
  if (PREPARED.size < REMEMBERED_LIMIT) PREPARED.set(statement, made);
  return made;
}

const BOOL = 16;
const BYTEA = 17;
const NUMBERS: readonly number[] = [20, 21, 23, 26, 700, 701, 1700];

/** Readers of the types that the schema uses; bigint as a number, since no count here comes near 2^53. */
export const TYPE_READERS = {
  getTypeParser(oid: number): (value: string) => unknown {
    if (oid === BYTEA) return (value) => Buffer.from(value.slice(2), 'hex');
    if (oid === BOOL) return (value) => value === 't';
    if (NUMBERS.includes(oid)) return Number;
    return (value) => value;
  },
};
