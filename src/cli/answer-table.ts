/** Answers of the service as tables on a terminal. */
import type { KmcClient } from '../agent/signed-client.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { table, type Outcome } from './command.ts';

/** A text member of an answer, empty when it is not there. */
export function answerText(answer: unknown, name: string): string {
  const member = isObject(answer) ? answer[name] : undefined;
  return typeof member === 'string' ? member : '';
}

/** A number member of an answer, 0 when it is not there. */
export function answerNumber(answer: unknown, name: string): number {
  const member = isObject(answer) ? answer[name] : undefined;
  return typeof member === 'number' ? member : 0;
}

/** The items of a list answer. */
export function answerItems(answer: unknown): readonly unknown[] {
  const items = isObject(answer) ? answer['items'] : undefined;
  return Array.isArray(items) ? items : [];
}

/** Pages of one list at most: more is a service that never comes to an end. */
const MOST_PAGES = 10_000;

/**
 * A list from its first page to its last, as one answer: a page may be empty and still have a next one.
 * @throws KmcError as the service answers.
 */
export async function everyItem(
  client: KmcClient,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<{ readonly items: readonly unknown[] }> {
  const items: unknown[] = [];
  let cursor = '';
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const asked = new URLSearchParams(cursor === '' ? query : { ...query, cursor }).toString();
    const answer = await client.json('GET', asked === '' ? path : `${path}?${asked}`);
    items.push(...answerItems(answer));
    cursor = answerText(answer, 'next');
    if (cursor === '') return { items };
  }
  throw new KmcError('E_SIZE', 'The list does not come to an end. Ask for a part of it.');
}

/** A list answer with the members that a person looks at as columns. */
export function listOutcome(answer: unknown, columns: readonly string[]): Outcome {
  const headers = columns.map((name) => name.toUpperCase());
  const rows = answerItems(answer).map((item) => columns.map((name) => answerText(item, name)));
  return { json: answer, text: table(headers, rows) };
}

/** What is shown of requests in a list. */
export const REQUEST_COLUMNS = ['id', 'op', 'target', 'state', 'proposer', 'expiresAt'] as const;
