/**
 * How far the estate is from its targets (目标), and when it reaches them at the pace of the last days. The forecast is the
 * straight line of least squares through the number of valid certificates on each of the last 90 days, drawn on from
 * today's number. It knows no seasons and no plans: it says what happens if all goes on as it did.
 */
import { addDays } from './figures.ts';
import { NONE, type FigureCell, type Measure } from './measures.ts';

const FORECAST_DAYS = 90;

/** What a day's movement adds to the certificates that are valid. */
const MOVES: Partial<Record<Measure, 1 | -1>> = {
  'certificate.issued': 1,
  'certificate.imported': 1,
  'certificate.released': 1,
  'certificate.revoked': -1,
  'certificate.suspended': -1,
};

export interface Progress {
  readonly target: number;
  readonly valid: number;
  /** 0 once the target is reached. */
  readonly missing: number;
  /** Valid certificates that come a day, by the line of the last 90 days. */
  readonly perDay: number;
  /** The day on which the line meets the target; absent when it is reached already, or is not within 20 years. */
  readonly reachedOn?: string;
}

/** Days beyond which a forecast says nothing any more. */
const LONGEST_FORECAST = 7_305;

/** The slope of the line of least squares through values one day apart. 0 for fewer than two. */
export function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
  let [above, below] = [0, 0];
  for (const [day, value] of values.entries()) {
    above += (day - middle) * (value - mean);
    below += (day - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** Progress towards a target, from the number that is valid today and the slope of the last days. */
export function progressOf(target: number, valid: number, perDay: number, today: string): Progress {
  const missing = Math.max(0, target - valid);
  const days = missing === 0 || perDay <= 0 ? undefined : Math.ceil(missing / perDay);
  return {
    target,
    valid,
    missing,
    perDay: Math.round(perDay * 100) / 100,
    ...(days === undefined || days > LONGEST_FORECAST ? {} : { reachedOn: addDays(today, days) }),
  };
}

export interface ValidSeries {
  /** Today's number. */
  readonly valid: number;
  /** The number on each of the last 90 days and today, the oldest first. */
  readonly days: readonly number[];
}

/** The period whose totals `validSeries` takes: what ended within it stands on its first day, the rest behind it. */
export function forecastPeriod(today: string): { day: string; from: string; to: string; expiringDays: number } {
  return {
    day: addDays(today, -FORECAST_DAYS),
    from: addDays(today, 1 - FORECAST_DAYS),
    to: today,
    expiringDays: FORECAST_DAYS - 1,
  };
}

/**
 * The number of valid certificates of devices on each of the last 90 days, back from what stands and what happened. What
 * expired within them is spread evenly over them.
 * @param cells totals of `forecastPeriod(today)`.
 * @param registrar of this registration authority alone.
 */
export function validSeries(cells: readonly FigureCell[], today: string, registrar?: string): ValidSeries {
  const moved = new Map<string, number>();
  let [valid, expired] = [0, 0];
  for (const cell of cells) {
    if (cell.registrar === NONE || (registrar !== undefined && cell.registrar !== registrar)) continue;
    if (cell.measure === 'certificate.live') {
      if (cell.day >= today) valid += cell.value;
      else expired += cell.value;
    }
    const sign = MOVES[cell.measure];
    if (sign !== undefined) moved.set(cell.day, (moved.get(cell.day) ?? 0) + sign * cell.value);
  }
  const days = [valid];
  for (let back = 0; back < FORECAST_DAYS; back += 1) {
    const move = moved.get(addDays(today, -back)) ?? 0;
    days.push((days.at(-1) ?? 0) - move + expired / FORECAST_DAYS);
  }
  return { valid, days: days.reverse() };
}

/** Certificates that an authority issued on each of the days before `today`, the oldest first; days without any are 0. */
export function issuedOnDays(cells: readonly FigureCell[], registrar: string, today: string, days: number): number[] {
  const counts = new Map<string, number>();
  for (const cell of cells) {
    if (cell.measure !== 'certificate.issued' || cell.registrar !== registrar) continue;
    counts.set(cell.day, (counts.get(cell.day) ?? 0) + cell.value);
  }
  return Array.from({ length: days }, (_, back) => counts.get(addDays(today, back - days)) ?? 0);
}
