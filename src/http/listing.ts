/** Lists: `limit` and an opaque `cursor` in, `items` and a link to the next page out (CONTRACT 4). */
import { z } from 'zod';
import { isId } from '../domain/id.ts';
import type { Page } from '../flows/ports/database.ts';
import { KmcError } from '../errors.ts';
import type { Reply } from './route.ts';

const DEFAULT_LIMIT = 100;

/** Query members of every list. */
export const PAGE_QUERY = {
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,3}$/)
    .optional()
    .describe('1 to 1000, default 100'),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,200}$/)
    .optional()
    .describe('from the next link of the page before'),
};

/** The page a query asks for. @throws KmcError E_SCHEMA. */
export function pageOf(query: { readonly limit?: string | undefined; readonly cursor?: string | undefined }): Page {
  const limit = query.limit === undefined ? DEFAULT_LIMIT : Number(query.limit);
  if (limit > 1000) throw new KmcError('E_SCHEMA', 'limit is at most 1000');
  if (query.cursor === undefined) return { limit };
  const after = Buffer.from(query.cursor, 'base64url').toString('utf8');
  if (!isId(after)) throw new KmcError('E_SCHEMA', 'the cursor is not one of this service');
  return { limit, after };
}

/**
 * A page as an answer: `{ items, next? }`, and the same as a Link header.
 * @param path of the list.
 * @param query the filter it had, without limit and cursor.
 */
export function listReply<Row>(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  page: Page,
  rows: readonly Row[],
  idOf: (row: Row) => string,
  render: (row: Row) => unknown,
): Reply {
  const last = rows.at(-1);
  const next = last === undefined || rows.length < page.limit ? undefined : idOf(last);
  return pageReply(path, query, page, next, rows.map(render));
}

/** As `listReply`, where the items are not all that was looked at: `next` is the id after which the next page begins. */
export function pageReply(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  page: Page,
  next: string | undefined,
  items: readonly unknown[],
): Reply {
  if (next === undefined) return { status: 200, json: { items } };
  const cursor = Buffer.from(next, 'utf8').toString('base64url');
  return {
    status: 200,
    json: { items, next: cursor },
    headers: nextLink(path, { ...query, limit: String(page.limit), cursor }),
  };
}

/** The Link header to the next page. */
export function nextLink(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value);
  return { link: `<${path}?${parameters.toString()}>; rel="next"` };
}
