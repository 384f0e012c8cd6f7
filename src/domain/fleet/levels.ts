/** How far a device has come with a generation of roots (enrolment-and-root-upgrade A.5): one table of the levels, in their order. */

/**
 * `OFFERED`: it may fetch the manifest. `FETCHED`: it has it. `INSTALLED`: the anchor stands in its operational store.
 * `VERIFIED`: its operational validator accepts the generation and nothing else (canary proof). `MIGRATED`: it works with
 * certificates of the generation.
 */
export const FLEET_LEVELS = ['OFFERED', 'FETCHED', 'INSTALLED', 'VERIFIED', 'MIGRATED'] as const;
export type FleetLevel = (typeof FLEET_LEVELS)[number];

/** The place of a level in the order, from 0: what the database compares. */
export function rankOf(level: FleetLevel): number {
  return FLEET_LEVELS.indexOf(level);
}

/** True when a device at `level` has reached `wanted` as well. */
export function hasReached(level: FleetLevel, wanted: FleetLevel): boolean {
  return rankOf(level) >= rankOf(wanted);
}

/** A device that nobody has seen for so many days is DARK: it stays counted (A.5). */
const DARK_DAYS = 30;

/**
 * What comes of a device that has not reached its goal so many days after its wave began (A.5): warned, on the named list,
 * a ticket to the province, and a decision: fixed, decommissioned or waived.
 */
const STRAGGLER_CLOCK = [
  { days: 60, stage: 'decide' },
  { days: 45, stage: 'ticket' },
  { days: 30, stage: 'named' },
  { days: 14, stage: 'warn' },
] as const;
export type StragglerStage = (typeof STRAGGLER_CLOCK)[number]['stage'] | 'running' | 'not-started';

/** A device is MIGRATED while it used its certificates of the generation within so many days (A.5). */
const USED_DAYS = 14;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** MIGRATED falls back to VERIFIED when the new certificates were not used for 14 days. */
export function levelNow(level: FleetLevel, usedAt: Date | undefined, now: Date): FleetLevel {
  return level === 'MIGRATED' && (usedAt === undefined || usedAt < fleetLimits(now).used) ? 'VERIFIED' : level;
}

/** Whole days from `from` to `now`, never below zero. */
function daysBetween(from: Date, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - from.getTime()) / DAY_MS));
}

/** Where the clock of a straggler stands; `not-started` while its wave has not begun. */
export function stragglerStage(offeredAt: Date | undefined, now: Date): StragglerStage {
  if (offeredAt === undefined) return 'not-started';
  const days = daysBetween(offeredAt, now);
  return STRAGGLER_CLOCK.find((step) => days >= step.days)?.stage ?? 'running';
}

/** A device between FETCHED and VERIFIED reports every day; one that did not for so many hours lost contact on the way. */
const SILENT_HOURS = 72;

/** Times before which a device is dark, silent on its way, or has not used what it migrated to, at `now`. */
export function fleetLimits(now: Date): { readonly dark: Date; readonly silent: Date; readonly used: Date } {
  const before = (milliseconds: number): Date => new Date(now.getTime() - milliseconds);
  return { dark: before(DARK_DAYS * DAY_MS), silent: before(SILENT_HOURS * HOUR_MS), used: before(USED_DAYS * DAY_MS) };
}

/** True for a device that lost contact between FETCHED and VERIFIED: it may have come to grief over the new bundle. */
export function isSilent(level: FleetLevel, seenAt: Date | undefined, now: Date): boolean {
  return (level === 'FETCHED' || level === 'INSTALLED') && seenAt !== undefined && seenAt < fleetLimits(now).silent;
}

/** True for a device that was last seen more than 30 days ago, or never since its wave began. */
export function isDark(seenAt: Date | undefined, offeredAt: Date | undefined, now: Date): boolean {
  const since = seenAt ?? offeredAt;
  return since !== undefined && since < fleetLimits(now).dark;
}
