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
export const DARK_DAYS = 30;

/**
 * What comes of a device that has not reached its goal so many days after its wave began (A.5): warned, on the named list,
 * a ticket to the province, and a decision: fixed, decommissioned or waived.
 */
export const STRAGGLER_CLOCK = [
  { days: 60, stage: 'decide' },
  { days: 45, stage: 'ticket' },
  { days: 30, stage: 'named' },
  { days: 14, stage: 'warn' },
] as const;
export type StragglerStage = (typeof STRAGGLER_CLOCK)[number]['stage'] | 'running' | 'not-started';

const DAY_MS = 86_400_000;

/** Whole days from `from` to `now`, never below zero. */
export function daysBetween(from: Date, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - from.getTime()) / DAY_MS));
}

/** Where the clock of a straggler stands; `not-started` while its wave has not begun. */
export function stragglerStage(offeredAt: Date | undefined, now: Date): StragglerStage {
  if (offeredAt === undefined) return 'not-started';
  const days = daysBetween(offeredAt, now);
  return STRAGGLER_CLOCK.find((step) => days >= step.days)?.stage ?? 'running';
}

/** True for a device that was last seen more than 30 days ago, or never since its wave began. */
export function isDark(seenAt: Date | undefined, offeredAt: Date | undefined, now: Date): boolean {
  const since = seenAt ?? offeredAt;
  return since !== undefined && now.getTime() - since.getTime() > DARK_DAYS * DAY_MS;
}
