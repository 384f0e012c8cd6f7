/** The totals of supervision, kept along with the log, and the reports of the months that are over. */
import type { FigurePeriod } from '../../domain/supervision/figures.ts';
import type { FigureCell } from '../../domain/supervision/measures.ts';

export interface SupervisionReportRow {
  /** YYYY-MM */
  readonly month: string;
  /** How many events of the log it rests on. */
  readonly events: number;
  /** The octets of the report, UTF-8. */
  readonly body: Buffer;
  readonly createdAt: Date;
}

export interface SupervisionReader {
  /** How many events of the log the totals hold: those with the indexes below. */
  position(): Promise<number>;
  /** Every total, in the order of keys. */
  totals(): Promise<FigureCell[]>;
  /**
   * The totals that count for the period, summed up as far as its figures do not tell them apart: what ends after its day
   * stands on one of two days, the first and one behind those that are about to expire. With `regions`: of these alone.
   */
  totalsFor(period: FigurePeriod, regions?: readonly string[]): Promise<FigureCell[]>;
  /** The months that have a report, oldest first, without their bodies. */
  months(): Promise<Omit<SupervisionReportRow, 'body'>[]>;
  report(month: string): Promise<SupervisionReportRow | undefined>;
}

export interface SupervisionWriter extends SupervisionReader {
  /** Moves the position. False when it is not `from`: somebody else books the same events. */
  advance(from: number, to: number): Promise<boolean>;
  /** Adds to the totals. */
  add(movements: readonly FigureCell[]): Promise<void>;
  /** False when the month has its report already. */
  insertReport(row: SupervisionReportRow): Promise<boolean>;
}
