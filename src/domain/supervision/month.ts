/** Months (UTC) as supervision cuts the log: by the first checkpoint that was signed an hour after their end. */
import { KmcError } from '../../errors.ts';

const MONTH = /^\d{4}-(?:0[1-9]|1[0-2])$/;

/**
 * What happened in a month is in the log by then: no transaction takes so long. What would come later still is told in the
 * next month's report.
 */
const GRACE_SECONDS = 3600;

/** True for YYYY-MM. */
export function isMonth(text: string): boolean {
  return MONTH.test(text);
}

/** YYYY-MM as it came from outside. @throws KmcError E_SCHEMA. */
export function requireMonth(text: string): string {
  if (isMonth(text)) return text;
  throw new KmcError('E_SCHEMA', 'A month is written YYYY-MM.');
}

/** The month that a time, or a day YYYY-MM-DD, lies in. */
export function monthOf(time: string): string {
  return time.slice(0, 7);
}

/** The month after that one. */
export function nextMonth(month: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number, 1)).toISOString().slice(0, 7);
}

/** First and last day, YYYY-MM-DD. */
export function daysOf(month: string): { readonly first: string; readonly last: string } {
  const end = Date.parse(`${nextMonth(month)}-01T00:00:00Z`);
  return { first: `${month}-01`, last: new Date(end - 1).toISOString().slice(0, 10) };
}

/** The time, in seconds since 1970, from which on a checkpoint closes the month. */
export function closesAt(month: string): number {
  return Date.parse(`${nextMonth(month)}-01T00:00:00Z`) / 1000 + GRACE_SECONDS;
}
