/**
 * Whether the certificates that were issued on a day are unusually many (异常签发), by the days before it. Median and median
 * absolute deviation: a few wild days among those before move neither, so that they do not hide the next one.
 */

export interface UnusualIssuance {
  /** Days before the day that it is held against. */
  readonly days: number;
  /** How many deviations above the median are unusual. */
  readonly deviations: number;
  /** Certificates above the median that are unusual at the least, however even the days before were. */
  readonly least: number;
}

/** Makes the median absolute deviation an estimate of the standard deviation of normally distributed values. */
const SCALE = 1.4826;

/** The median; the mean of the two in the middle of an even number of values. 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/**
 * The number above which a day is unusual: median + max(deviations × 1.4826 × MAD, least).
 * @param before certificates of each of the days before, in any order.
 */
export function usualLimit(before: readonly number[], { deviations, least }: UnusualIssuance): number {
  const middle = median(before);
  const spread = SCALE * median(before.map((value) => Math.abs(value - middle)));
  return middle + Math.max(deviations * spread, least);
}

/** True when so many certificates on one day are unusual. With fewer days before it than the rule has, nothing is. */
export function isUnusual(count: number, before: readonly number[], rule: UnusualIssuance): boolean {
  return before.length >= rule.days && count > usualLimit(before, rule);
}
