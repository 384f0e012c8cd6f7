/** The whole of a database as rows, out of it and into an empty one, on both engines. */
import type { StoredValue } from '../domain/backup/backup-record.ts';
import { KmcError } from '../errors.ts';
import type { CopiedTable } from '../flows/ports/database-copy.ts';
import { MIGRATION_TABLES } from './migrate.ts';
import type { Binding, Dialect, Sql, SqlRecord } from './sql.ts';
import { text } from './table.ts';

/** Octets of one page, as far as the rows before it tell. */
const PAGE_OCTETS = 1_048_576;
const FIRST_PAGE = 8;
const LARGEST_PAGE = 500;
const ROWS_TOGETHER = 50;

interface TableShape {
  readonly name: string;
  readonly columns: readonly string[];
}

interface CopyWords {
  /** Tables and their columns, in a fixed order. */
  readonly shapes: string;
  /** Where a row lies: unique in a table at one moment, in the order in which the table is read fastest. */
  readonly place: string;
  readonly shownPlace: string;
  readonly givenPlace: string;
}

const WORDS: Readonly<Record<Dialect['engine'], CopyWords>> = {
  sqlite: {
    shapes: `select t.name as table_name, c.name as column_name
      from sqlite_schema t join pragma_table_info(t.name) c
      where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'
      order by t.name, c.cid`,
    place: '_rowid_',
    shownPlace: '_rowid_',
    givenPlace: '?',
  },
  postgresql: {
    shapes: `select c.table_name::text as table_name, c.column_name::text as column_name
      from information_schema.columns c
      join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
      where c.table_schema = current_schema() and t.table_type = 'BASE TABLE'
      order by c.table_name::text collate "C", c.ordinal_position`,
    place: 'ctid',
    shownPlace: 'ctid::text',
    givenPlace: '?::tid',
  },
};
const PLACE = 'place_of_row';

/** The tables of the product, by name. */
async function tableShapes(sql: Sql): Promise<TableShape[]> {
  const tables = new Map<string, string[]>();
  for (const record of await sql.all(WORDS[sql.dialect.engine].shapes)) {
    const name = text.decode(record['table_name']);
    if (MIGRATION_TABLES.includes(name)) continue;
    tables.set(name, [...(tables.get(name) ?? []), text.decode(record['column_name'])]);
  }
  return [...tables].map(([name, columns]) => ({ name, columns }));
}

/** Every table with its rows. */
export async function* copiedTables(sql: Sql): AsyncGenerator<CopiedTable> {
  for (const shape of await tableShapes(sql)) {
    yield { name: shape.name, columns: shape.columns, rows: rowsOf(sql, shape) };
  }
}

async function* rowsOf(sql: Sql, { name, columns }: TableShape): AsyncGenerator<readonly StoredValue[]> {
  const { place, shownPlace, givenPlace } = WORDS[sql.dialect.engine];
  const select = `select ${columns.join(', ')}, ${shownPlace} as ${PLACE} from ${name}`;
  const page = (where: string): string => `${select} ${where}order by ${place} limit ?`;
  let limit = FIRST_PAGE;
  let records = await sql.all(page(''), limit);
  for (;;) {
    let octets = 0;
    for (const record of records) {
      const values = columns.map((column) => valueOf(record[column]));
      octets += values.reduce<number>((sum, value) => sum + sizeOf(value), 0);
      yield values;
    }
    const last = records.at(-1);
    if (last === undefined || records.length < limit) return;
    const fitting = Math.max(1, Math.floor((PAGE_OCTETS * records.length) / octets));
    limit = Math.min(fitting, 2 * limit, LARGEST_PAGE);
    records = await sql.all(page(`where ${place} > ${givenPlace} `), valueOf(last[PLACE]), limit);
  }
}

function sizeOf(value: Binding): number {
  return typeof value === 'number' || value === null ? 8 : value.length;
}

function valueOf(stored: unknown): Binding {
  if (stored === null || typeof stored === 'string' || Buffer.isBuffer(stored)) return stored;
  if (typeof stored === 'number' && Number.isSafeInteger(stored)) return stored;
  throw new KmcError('E_INTEGRITY', 'The database holds a value of a type that the schema does not know.');
}

/** A table as it comes out of a backup. */
export interface FilledTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<readonly StoredValue[]>;
}

/**
 * Fills the tables of a database in the running transaction, with its triggers and foreign keys set aside and put back:
 * what the rows are was decided when they were written, and foreign keys are checked over all of them at the end.
 * @returns how many rows.
 * @throws KmcError E_EXISTS when a table holds rows and no interrupted restore left them; E_INTEGRITY when a table or
 * column is not one of this schema, or a foreign key does not hold.
 */
export async function fillTables(sql: Sql, tables: AsyncIterable<FilledTable>): Promise<number> {
  const shapes = new Map((await tableShapes(sql)).map((shape) => [shape.name, shape]));
  await requireReplaceable(sql, [...shapes.keys()]);
  const rules = await setRulesAside(sql, [...shapes.keys()]);
  for (const name of shapes.keys()) await sql.run(`delete from ${name}`);
  let rows = 0;
  for await (const table of tables) rows += await fillTable(sql, shapes.get(table.name), table);
  await rules.putBack();
  return rows;
}

/** What migrations write themselves counts for nothing. */
const WRITTEN_BY_MIGRATIONS = ['keystore_epoch', 'role_exclusions'];

async function requireReplaceable(sql: Sql, names: readonly string[]): Promise<void> {
  const [begun] = names.includes('restorations')
    ? await sql.all('select 1 from restorations where finished_at is null limit 1')
    : [];
  if (begun !== undefined) return;
  for (const name of names.filter((one) => !WRITTEN_BY_MIGRATIONS.includes(one))) {
    const [row] = await sql.all(`select 1 from ${name} limit 1`);
    if (row === undefined) continue;
    throw new KmcError('E_EXISTS', 'The database holds data already. A backup is restored into an empty one only.');
  }
}

async function fillTable(sql: Sql, shape: TableShape | undefined, table: FilledTable): Promise<number> {
  const isKnown = shape !== undefined && table.columns.every((column) => shape.columns.includes(column));
  if (!isKnown) throw new KmcError('E_INTEGRITY', `The backup holds a table of another schema: ${table.name}.`);
  // The one column whose numbers the server gives itself, unless it is told.
  const overriding = sql.dialect.engine === 'postgresql' ? ' overriding system value' : '';
  const insert = `insert into ${table.name} (${table.columns.join(', ')})${overriding} values `;
  const place = `(${table.columns.map(() => '?').join(', ')})`;
  let rows = 0;
  let held: StoredValue[][] = [];
  const write = async (): Promise<void> => {
    if (held.length > 0) await sql.run(insert + held.map(() => place).join(', '), ...held.flat());
    held = [];
  };
  for await (const values of table.rows) {
    if (values.length !== table.columns.length) {
      throw new KmcError('E_INTEGRITY', `The backup holds a row that does not fit its table: ${table.name}.`);
    }
    held.push([...values]);
    rows += 1;
    if (held.length === ROWS_TOGETHER) await write();
  }
  await write();
  return rows;
}

interface RulesAside {
  putBack(): Promise<void>;
}

function setRulesAside(sql: Sql, names: readonly string[]): Promise<RulesAside> {
  return sql.dialect.engine === 'sqlite' ? sqliteRules(sql) : postgresRules(sql, names);
}

async function sqliteRules(sql: Sql): Promise<RulesAside> {
  await sql.run('pragma defer_foreign_keys = on');
  const triggers = await sql.all("select name, sql from sqlite_schema where type = 'trigger' order by name");
  for (const { name } of triggers) await sql.run(`drop trigger ${text.decode(name)}`);
  return {
    async putBack() {
      for (const trigger of triggers) await sql.run(text.decode(trigger['sql']));
      const [broken] = await sql.all('pragma foreign_key_check');
      if (broken !== undefined) throw danglingReference();
    },
  };
}

async function postgresRules(sql: Sql, names: readonly string[]): Promise<RulesAside> {
  const keys = await sql.all(
    `select conrelid::regclass::text as table_name, conname::text as name, pg_get_constraintdef(oid) as definition
     from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace order by 1, 2`,
  );
  const namesOf = (record: SqlRecord): string => text.decode(record['table_name']);
  await sql.run('set local statement_timeout = 0');
  for (const name of names) await sql.run(`alter table ${name} disable trigger user`);
  for (const key of keys) {
    await sql.run(`alter table ${namesOf(key)} drop constraint ${text.decode(key['name'])}`);
  }
  return {
    async putBack() {
      await sql.all(
        "select setval(pg_get_serial_sequence('audit_event', 'ord'), (select coalesce(max(ord), 0) + 1 from audit_event))",
      );
      for (const key of keys) {
        const definition = text.decode(key['definition']);
        await sql.run(`alter table ${namesOf(key)} add constraint ${text.decode(key['name'])} ${definition}`);
      }
      for (const name of names) await sql.run(`alter table ${name} enable trigger user`);
    },
  };
}

function danglingReference(): KmcError {
  return new KmcError('E_INTEGRITY', 'The rows of the backup do not belong together. Take another copy of it.');
}
