/** One table: how its rows are written and read, and the statements that every store needs. */
import { KmcError } from '../errors.ts';
import { byCount, type Binding, type Sql, type SqlRecord } from './sql.ts';

export interface Column<T> {
  encode(value: T): Binding;
  /** @throws KmcError E_INTEGRITY when the database holds something else. */
  decode(stored: unknown): T;
}

export const text: Column<string> = {
  encode: (value) => value,
  decode: (stored) => (typeof stored === 'string' ? stored : notOfSchema()),
};

export const integer: Column<number> = {
  encode: (value) => value,
  decode: (stored) => (typeof stored === 'number' && Number.isSafeInteger(stored) ? stored : notOfSchema()),
};

export const blob: Column<Buffer> = {
  encode: (value) => value,
  decode: (stored) => (Buffer.isBuffer(stored) ? stored : notOfSchema()),
};

/** Stored as `YYYY-MM-DDTHH:MM:SS.mmmZ`: sorts by time on both engines. */
export const time: Column<Date> = {
  encode: (value) => value.toISOString(),
  decode: (stored) => {
    const value = new Date(text.decode(stored));
    return Number.isNaN(value.getTime()) ? notOfSchema() : value;
  },
};

/** A natural number of any size, stored in decimal. */
export const natural: Column<bigint> = {
  encode: (value) => value.toString(),
  decode: (stored) => {
    const digits = text.decode(stored);
    return /^(?:0|[1-9][0-9]*)$/.test(digits) ? BigInt(digits) : notOfSchema();
  },
};

export const flag: Column<boolean> = {
  encode: (value) => (value ? 1 : 0),
  decode: (stored) => integer.decode(stored) === 1,
};

/** A list of names of ours, stored as JSON. */
export const names: Column<readonly string[]> = {
  encode: (value) => JSON.stringify(value),
  decode: (stored) => {
    const value: unknown = JSON.parse(text.decode(stored));
    return Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : notOfSchema();
  },
};

/** One of a list of words. The CHECK of the column holds the list, so what is read back is one of them. */
export function word<T extends string>(): Column<T> {
  return { encode: (value) => value, decode: (stored) => text.decode(stored) as T };
}

/** A column that may be null. */
export function optional<T>(column: Column<T>): Column<T | undefined> {
  return {
    encode: (value) => (value === undefined ? null : column.encode(value)),
    decode: (stored) => (stored === null ? undefined : column.decode(stored)),
  };
}

export type Columns<Row> = { readonly [Name in keyof Row & string]-?: Column<Row[Name]> };

/** Rows in one statement at most; a statement of each length is prepared once. */
export const ROWS_TOGETHER = 50;

/** A list in parts of at most that many. */
export function* inParts<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += ROWS_TOGETHER) yield list.slice(at, at + ROWS_TOGETHER);
}

/** A table whose columns are named like the members of `Row`, in snake case. */
export class Table<Row> {
  readonly name: string;
  /** `select <all columns> from <table>`, to be followed by a condition. */
  readonly select: string;
  /** All columns, by their names in the database: for queries that knex builds. */
  readonly columns: readonly string[];
  readonly #fields: readonly {
    readonly member: keyof Row & string;
    readonly column: string;
    readonly joined: string;
    readonly codec: Column<unknown>;
  }[];
  readonly #insertNew: string;
  readonly #insertRows: (count: number) => string;

  constructor(name: string, columns: Columns<Row>) {
    this.name = name;
    // Object.entries forgets which codec belongs to which member; each is used with its own member only.
    this.#fields = (Object.entries(columns) as [keyof Row & string, Column<unknown>][]).map(([member, codec]) => ({
      member,
      column: columnName(member),
      joined: `${name}_${columnName(member)}`,
      codec,
    }));
    this.columns = this.#fields.map((field) => field.column);
    this.select = `select ${this.columns.join(', ')} from ${name}`;
    const insert = `insert into ${name} (${this.columns.join(', ')}) values `;
    const values = `(${this.columns.map(() => '?').join(', ')})`;
    this.#insertNew = `${insert}${values} on conflict do nothing`;
    this.#insertRows = byCount(ROWS_TOGETHER, (rows) => insert + rows(values));
  }

  /** The first row that the condition finds. */
  async find(sql: Sql, condition: string, ...bindings: Binding[]): Promise<Row | undefined> {
    const [record] = await sql.all(`${this.select} ${condition}`, ...bindings);
    return record === undefined ? undefined : this.decode(record);
  }

  /** The rows that the condition finds; it may end in `order by` and `limit`. */
  async all(sql: Sql, condition: string, ...bindings: Binding[]): Promise<Row[]> {
    const records = await sql.all(`${this.select} ${condition}`, ...bindings);
    return records.map((record) => this.decode(record));
  }

  /** Inserts the row; false when a row with one of its unique values stands there already. */
  async insert(sql: Sql, row: Row): Promise<boolean> {
    return (await sql.run(this.#insertNew, ...this.encode(row))) === 1;
  }

  /** Inserts all rows. @throws KmcError E_CONFLICT when one of them stands there already. */
  async insertAll(sql: Sql, rows: readonly Row[]): Promise<void> {
    for (const part of inParts(rows)) {
      await sql.run(this.#insertRows(part.length), ...part.flatMap((row) => this.encode(row)));
    }
  }

  encode(row: Row): Binding[] {
    return this.#fields.map(({ member, codec }) => codec.encode(row[member]));
  }

  decode(record: SqlRecord): Row {
    const row: Record<string, unknown> = {};
    for (const { member, column, codec } of this.#fields) row[member] = codec.decode(record[column]);
    return row as Row;
  }

  /** All columns, under names that hold the table's: for a query over several tables. */
  get joinedColumns(): string {
    return this.columns.map((column) => `${this.name}.${column} as ${this.name}_${column}`).join(', ');
  }

  /** Reads what `joinedColumns` asked for. */
  decodeJoined(record: SqlRecord): Row {
    const row: Record<string, unknown> = {};
    for (const { member, joined, codec } of this.#fields) row[member] = codec.decode(record[joined]);
    return row as Row;
  }
}

/** Reads a record whose columns are named like the members, in snake case: the result of a query that is no table. */
export function decodeRecord<Row>(columns: Columns<Row>, record: SqlRecord): Row {
  const row: Record<string, unknown> = {};
  for (const [member, codec] of Object.entries<Column<unknown>>(columns)) {
    row[member] = codec.decode(record[columnName(member)]);
  }
  return row as Row;
}

/** True when a compare-and-set changed its one row. */
export async function won(changed: Promise<number>): Promise<boolean> {
  return (await changed) === 1;
}

function columnName(member: string): string {
  return member.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function notOfSchema(): never {
  throw new KmcError(
    'E_INTEGRITY',
    'A stored value is not of the form that the schema asks for. Stop the service and check the database.',
  );
}
