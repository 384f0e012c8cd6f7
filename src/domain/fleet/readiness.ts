/**
 * How ready a fleet is for a step of a root upgrade (A.5). Pure: from groups of devices that stand alike, as a database
 * counts them or as an auditor reads them out of stored reports, to the figures that the gates ask for.
 */
import type { DeviceRegistration } from '../device.ts';
import {
  FLEET_LEVELS,
  fleetLimits,
  hasReached,
  isDark,
  isSilent,
  stragglerStage,
  type FleetLevel,
  type StragglerStage,
} from './levels.ts';

/** Devices that are alike in all that the figures look at. */
export interface FleetStanding {
  readonly kind: DeviceRegistration['kind'];
  readonly region: string;
  readonly tier: 'hub' | 'standard';
  readonly vendor: string;
  readonly model: string;
  /** As the devices reported it; absent for those that never did. */
  readonly firmware: string | undefined;
  /** In the canary ring. */
  readonly ring: boolean;
  /** Of the rollout, from 1; 0 for the canary ring, absent before one was given. */
  readonly wave: number | undefined;
  readonly level: FleetLevel;
  readonly dark: boolean;
  /** Lost contact between FETCHED and VERIFIED. */
  readonly silent: boolean;
  /** Reported that it refused the bundle, or failed the canary proof. */
  readonly faulty: boolean;
  /** A pair of an older generation secured a session within the last 14 days. */
  readonly oldInUse: boolean;
  /** A waiver is in force: they left the denominator. */
  readonly waived: boolean;
  readonly count: number;
}

/** One device of the frozen denominator, with the latest of what it reported about the generation. */
export interface FleetMember extends Omit<
  FleetStanding,
  'count' | 'dark' | 'silent' | 'faulty' | 'oldInUse' | 'waived'
> {
  readonly id: string;
  readonly serial: string;
  /** When its wave began: its clock runs from there. */
  readonly offeredAt: Date | undefined;
  /** When it last reported anything. */
  readonly seenAt: Date | undefined;
  /** The rule of the library that refused the bundle, or `canary`. */
  readonly fault: string | undefined;
  /** When a pair of an older generation last secured a session, as the device said with MIGRATED. */
  readonly oldUsedAt: Date | undefined;
  readonly waivedUntil: Date | undefined;
}

/** Counts of devices that are in the denominator. */
export interface FleetCounts {
  /** The denominator: members without a waiver in force. */
  readonly counted: number;
  /** How many of these have reached each level, or a higher one. */
  readonly reached: Readonly<Record<FleetLevel, number>>;
  /** Not seen for 30 days; they stay in `counted`. */
  readonly dark: number;
  readonly silent: number;
  readonly faulty: number;
  readonly oldInUse: number;
  /** Members that a waiver has taken out of `counted`. */
  readonly waived: number;
}

/** A device that has not reached the goal, with its clock. */
export interface Straggler {
  readonly id: string;
  readonly serial: string;
  readonly region: string;
  readonly tier: 'hub' | 'standard';
  readonly vendor: string;
  readonly model: string;
  readonly firmware: string | undefined;
  readonly level: FleetLevel;
  readonly offeredAt: Date | undefined;
  readonly seenAt: Date | undefined;
  readonly dark: boolean;
  readonly fault: string | undefined;
  readonly stage: StragglerStage;
}

export interface ModelCounts extends FleetCounts {
  readonly vendor: string;
  readonly model: string;
  readonly firmware: string | undefined;
}

export interface RegionCounts extends FleetCounts {
  readonly region: string;
}

export interface WaveCounts extends FleetCounts {
  readonly wave: number;
}

export interface FleetReadiness {
  readonly at: Date;
  /** The level that the next step asks for: what stragglers are short of. */
  readonly goal: FleetLevel;
  /** Gateways; terminals count apart. */
  readonly overall: FleetCounts;
  /** In the order of region codes. */
  readonly regions: readonly RegionCounts[];
  /** The hub and backbone tier. */
  readonly hub: FleetCounts;
  /** In the order of vendor, model, firmware. */
  readonly models: readonly ModelCounts[];
  /** The canary ring. */
  readonly ring: FleetCounts;
  /** In their order; members whose wave has not been set are in none. */
  readonly waves: readonly WaveCounts[];
  /** Absent while no terminal is a member. */
  readonly terminals?: FleetCounts;
  /** Gateways below the goal and not waived: how many, and the first of them by clock, then id. */
  readonly stragglers: { readonly total: number; readonly listed: readonly Straggler[] };
  /** The reports that the figures rest on: how many, and the oldest and newest of each device's latest. */
  readonly evidence: FleetEvidenceAge;
}

export interface FleetEvidenceAge {
  readonly reports: number;
  readonly oldest: Date | undefined;
  readonly newest: Date | undefined;
}

/** What the figures are made of. */
export interface FleetFacts {
  readonly at: Date;
  readonly goal: FleetLevel;
  readonly standings: Iterable<FleetStanding>;
  /** Gateways below the goal and not waived, as many as are listed. */
  readonly stragglers: readonly FleetMember[];
  readonly evidence: FleetEvidenceAge;
}

/** Stragglers that are listed by name: more than that is no list that a person reads. */
export const LISTED_STRAGGLERS = 1_000;

/** Counts while they are made. */
interface Tally {
  counted: number;
  readonly reached: Record<FleetLevel, number>;
  dark: number;
  silent: number;
  faulty: number;
  oldInUse: number;
  waived: number;
}

function newTally(): Tally {
  const reached = { OFFERED: 0, FETCHED: 0, INSTALLED: 0, VERIFIED: 0, MIGRATED: 0 };
  return { counted: 0, reached, dark: 0, silent: 0, faulty: 0, oldInUse: 0, waived: 0 };
}

function add(tally: Tally, standing: FleetStanding): void {
  if (standing.waived) {
    tally.waived += standing.count;
    return;
  }
  tally.counted += standing.count;
  for (const mark of ['dark', 'silent', 'faulty', 'oldInUse'] as const)
    if (standing[mark]) tally[mark] += standing.count;
  for (const level of FLEET_LEVELS) if (hasReached(standing.level, level)) tally.reached[level] += standing.count;
}

function tallyIn<Key>(tallies: Map<Key, Tally>, key: Key): Tally {
  const known = tallies.get(key) ?? newTally();
  tallies.set(key, known);
  return known;
}

const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
const inOrder = (tallies: Map<string, Tally>): [string, Tally][] => [...tallies].sort(([a], [b]) => byText(a, b));

/** A group of one: a member as it stands at `now`. */
export function standingOf(member: FleetMember, now: Date): FleetStanding {
  const { kind, region, tier, vendor, model, firmware, ring, wave, level } = member;
  return {
    kind,
    region,
    tier,
    vendor,
    model,
    firmware,
    ring,
    wave,
    level,
    dark: isDark(member.seenAt, member.offeredAt, now),
    silent: isSilent(level, member.seenAt, now),
    faulty: member.fault !== undefined,
    oldInUse: member.oldUsedAt !== undefined && member.oldUsedAt >= fleetLimits(now).used,
    waived: member.waivedUntil !== undefined && now < member.waivedUntil,
    count: 1,
  };
}

function stragglerOf(member: FleetMember, now: Date): Straggler {
  const { id, serial, region, tier, vendor, model, firmware, level, offeredAt, seenAt, fault } = member;
  const dark = isDark(seenAt, offeredAt, now);
  const stage = stragglerStage(offeredAt, now);
  return { id, serial, region, tier, vendor, model, firmware, level, offeredAt, seenAt, dark, fault, stage };
}

/** The tallies that make up the figures. */
class FleetTallies {
  readonly overall = newTally();
  readonly hub = newTally();
  readonly ring = newTally();
  readonly terminals = newTally();
  readonly regions = new Map<string, Tally>();
  readonly models = new Map<string, Tally>();
  readonly waves = new Map<number, Tally>();

  add(standing: FleetStanding): void {
    if (standing.kind === 'terminal') {
      add(this.terminals, standing);
      return;
    }
    const { region, vendor, model, firmware, wave } = standing;
    const tallies = [
      this.overall,
      tallyIn(this.regions, region),
      tallyIn(this.models, JSON.stringify([vendor, model, firmware])),
    ];
    if (standing.tier === 'hub') tallies.push(this.hub);
    if (standing.ring) tallies.push(this.ring);
    if (wave !== undefined) tallies.push(tallyIn(this.waves, wave));
    for (const tally of tallies) add(tally, standing);
  }
}

function modelOf(key: string): Pick<ModelCounts, 'vendor' | 'model' | 'firmware'> {
  const [vendor, model, firmware] = JSON.parse(key) as [string, string, string | null];
  return { vendor, model, firmware: firmware ?? undefined };
}

/** The figures of a fleet. Devices that were decommissioned are no members any more and stand in no group. */
export function fleetReadiness({ at, goal, standings, stragglers, evidence }: FleetFacts): FleetReadiness {
  const tallies = new FleetTallies();
  let short = 0;
  for (const standing of standings) {
    tallies.add(standing);
    const { kind, waived, level, count } = standing;
    if (kind === 'gateway' && !waived && !hasReached(level, goal)) short += count;
  }
  const { overall, hub, ring, terminals, regions, models, waves } = tallies;
  return {
    at,
    goal,
    overall,
    hub,
    ring,
    regions: inOrder(regions).map(([region, counts]) => ({ region, ...counts })),
    models: inOrder(models).map(([key, counts]) => ({ ...modelOf(key), ...counts })),
    waves: [...waves].sort(([a], [b]) => a - b).map(([wave, counts]) => ({ wave, ...counts })),
    ...(terminals.counted + terminals.waived > 0 ? { terminals } : {}),
    stragglers: { total: short, listed: stragglers.map((member) => stragglerOf(member, at)) },
    evidence,
  };
}

/** The figures of members that are all at hand: as an auditor computes them from an exported snapshot. */
export function readinessOfMembers(
  members: readonly FleetMember[],
  { at, goal, evidence }: Omit<FleetFacts, 'standings' | 'stragglers'>,
): FleetReadiness {
  const isShort = (member: FleetMember): boolean =>
    member.kind === 'gateway' && !standingOf(member, at).waived && !hasReached(member.level, goal);
  const started = ({ offeredAt }: FleetMember): number => offeredAt?.getTime() ?? Number.MAX_SAFE_INTEGER;
  const stragglers = members.filter(isShort).sort((a, b) => started(a) - started(b) || byText(a.id, b.id));
  const standings = members.map((each) => standingOf(each, at));
  return fleetReadiness({ at, goal, standings, stragglers: stragglers.slice(0, LISTED_STRAGGLERS), evidence });
}

/**
 * True when `part` of `whole` reaches a share, without rounding: 9,990 of 10,000 is 99.9 %. Of none, all have.
 * @param hundredths of a per cent: 9990 is 99.9 %.
 */
export function reachesShare(part: number, whole: number, hundredths: number): boolean {
  return part * 10_000 >= whole * hundredths;
}
