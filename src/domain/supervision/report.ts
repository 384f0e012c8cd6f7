/**
 * The report of a month (监管月报): figures with what they rest on. Made of the log alone, so that whoever holds a copy of the
 * log makes the same octets.
 */
import { parseStrictJson } from '../../crypto/jcs.ts';
import { parseNote } from '../audit/checkpoint.ts';
import { isObject } from '../audit/shape.ts';
import { KmcError } from '../../errors.ts';
import { figuresOf, type FigurePeriod, type Figures } from './figures.ts';
import { daysOf, isMonth } from './month.ts';
import type { FigureCell } from './measures.ts';

const REPORT_FORMAT = 'kmc.supervision-report/1';

/** Far more than all regions, profiles, models and days of a month take. */
const MAX_REPORT_OCTETS = 8 * 1024 * 1024;

/** A certificate that ends within so many days is about to expire. */
export const EXPIRING_DAYS = 30;

export interface SupervisionReport {
  readonly format: typeof REPORT_FORMAT;
  /** Origin of the log. */
  readonly log: string;
  /** YYYY-MM */
  readonly month: string;
  /** False for a month that was not over: another report of it will say more. */
  readonly complete: boolean;
  /** How many events of the log the figures are the sum of. */
  readonly events: number;
  /** The smallest signed checkpoint over these events; its root is `sm3:<hex>`. */
  readonly checkpoint: { readonly size: number; readonly root: string; readonly note: string };
  readonly figures: Figures;
}

/** What stands is told as of the last day of the month. */
export function periodOf(month: string): FigurePeriod {
  const { first, last } = daysOf(month);
  return { day: last, from: first, to: last, expiringDays: EXPIRING_DAYS };
}

/** The report of a month from the totals of so many events; `note` is the signed checkpoint over them. */
export function supervisionReport(
  of: { readonly month: string; readonly complete: boolean; readonly events: number; readonly note: string },
  cells: Iterable<FigureCell>,
): SupervisionReport {
  const { origin, size, root } = parseNote(of.note).checkpoint;
  return {
    format: REPORT_FORMAT,
    log: origin,
    month: of.month,
    complete: of.complete,
    events: of.events,
    checkpoint: { size, root: `sm3:${root.toString('hex')}`, note: of.note },
    figures: figuresOf(cells, periodOf(of.month)),
  };
}

/** The octets of a report: JSON, two spaces deep, UTF-8, with a newline at the end. The same report has the same octets. */
export function reportBytes(report: SupervisionReport): Buffer {
  return Buffer.from(`${JSON.stringify(report, undefined, 2)}\n`, 'utf8');
}

/**
 * A report of ours as it was stored or sent. Whoever did not make it makes it anew and compares the octets.
 * @throws KmcError E_JSON, E_SCHEMA for what is no report.
 */
export function readReportFile(bytes: Buffer): SupervisionReport {
  const value: unknown = parseStrictJson(bytes, { maxBytes: MAX_REPORT_OCTETS });
  if (isReport(value)) return value;
  throw new KmcError('E_SCHEMA', `This is no report of the format ${REPORT_FORMAT}.`);
}

function isReport(value: unknown): value is SupervisionReport {
  if (!isObject(value) || value['format'] !== REPORT_FORMAT) return false;
  const { log, month, complete, events, figures } = value;
  return (
    typeof log === 'string' &&
    typeof month === 'string' &&
    isMonth(month) &&
    typeof complete === 'boolean' &&
    typeof events === 'number' &&
    Number.isSafeInteger(events) &&
    events > 0 &&
    isObject(figures)
  );
}
