/** Lists with filters: the one place where statements are built, by knex and with bound values. */
import type { Knex } from 'knex';
import type { Page } from '../flows/ports/database.ts';
import { KmcError } from '../errors.ts';
import type { Sql } from './sql.ts';
import type { Table } from './table.ts';

const LONGEST_PAGE = 1_000;

/** The condition of each filter member that may be given: the column it must equal. */
export type FilterColumns<Filter> = { readonly [Name in keyof Filter & string]-?: string };

/** The query for the rows of a table that fit the filter. */
export function filtered<Filter extends object>(
  sql: Sql,
  table: Pick<Table<unknown>, 'name' | 'columns'>,
  columns: FilterColumns<Filter>,
  filter: Filter,
): Knex.QueryBuilder {
  const query = sql.dialect.builder(table.name).select(...table.columns);
  for (const [member, value] of Object.entries(filter) as [keyof Filter & string, string | undefined][]) {
    if (value !== undefined) query.where(columns[member], '=', value);
  }
  return query;
}

/** Rows of a table with an `id` that fit the filter: one page of them, in the order of ids. */
export async function listPage<Row, Filter extends object>(
  sql: Sql,
  table: Table<Row>,
  columns: FilterColumns<Filter>,
  filter: Filter,
  page: Page,
): Promise<Row[]> {
  const query = filtered(sql, table, columns, filter).orderBy('id').limit(pageLimit(page));
  if (page.after !== undefined) query.where('id', '>', page.after);
  return (await sql.query(query)).map((record) => table.decode(record));
}

/** @throws KmcError E_SCHEMA for a limit outside of 1 to 1,000. */
export function pageLimit({ limit }: Pick<Page, 'limit'>): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LONGEST_PAGE) return limit;
  throw new KmcError('E_SCHEMA', `The limit of a list is a number from 1 to ${LONGEST_PAGE}.`);
}
