/** Answers of the service as tables on a terminal. */
import { isObject } from '../domain/signed-body.ts';
import { table, type Outcome } from './command.ts';

/** A text member of an answer, empty when it is not there. */
export function answerText(answer: unknown, name: string): string {
  const member = isObject(answer) ? answer[name] : undefined;
  return typeof member === 'string' ? member : '';
}

/** The items of a list answer. */
export function answerItems(answer: unknown): readonly unknown[] {
  const items = isObject(answer) ? answer['items'] : undefined;
  return Array.isArray(items) ? items : [];
}

/** A list answer with the members that a person looks at as columns. */
export function listOutcome(answer: unknown, columns: readonly string[]): Outcome {
  const headers = columns.map((name) => name.toUpperCase());
  const rows = answerItems(answer).map((item) => columns.map((name) => answerText(item, name)));
  return { json: answer, text: table(headers, rows) };
}

/** What is shown of requests in a list. */
export const REQUEST_COLUMNS = ['id', 'op', 'target', 'state', 'proposer', 'expiresAt'] as const;
