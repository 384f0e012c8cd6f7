/** The fleet of a root upgrade (enrolment-and-root-upgrade A.5): members, how they stand, waivers, snapshots. */
import type { FleetEvidenceAge, FleetMember, FleetStanding } from '../../domain/fleet/readiness.ts';
import type { FleetLevel } from '../../domain/fleet/levels.ts';
import type { Page } from './database.ts';

export interface FleetWaiverRow {
  readonly id: string;
  readonly upgradeId: string;
  readonly deviceId: string;
  /** 1, or 2 for the one renewal. */
  readonly number: number;
  readonly reason: string;
  readonly requestId: string;
  readonly grantedAt: Date;
  readonly endsAt: Date;
  readonly lastAuditEvent: string;
}

export interface FleetSnapshotRow {
  readonly id: string;
  readonly upgradeId: string;
  /** `sm3:<hex>` of the body: what approvers and the auditor sign. */
  readonly digest: string;
  /** Canonical JSON. */
  readonly body: Buffer;
  readonly members: number;
  readonly takenAt: Date;
  readonly lastAuditEvent: string;
}

/** A member as it stood when the snapshot was taken. */
export interface SnapshotMemberRow {
  readonly snapshotId: string;
  readonly deviceId: string;
  /** Canonical JSON of the leaf, but for the report. */
  readonly member: string;
  readonly reportId: string | undefined;
}

/** Which fleet, as of when: the members of an upgrade, and where they stand with a root. */
export interface FleetView {
  readonly upgradeId: string;
  readonly rootSm3: string;
  readonly at: Date;
}

/** Of members: all of a fleet, or the gateways that are short of a level and not waived. */
export interface MemberFilter {
  readonly below?: FleetLevel;
  readonly region?: string;
}

/** A member with the report that put it where it is. */
export interface ReportedMember {
  readonly member: FleetMember;
  readonly reportId: string | undefined;
}

export interface EstateRow {
  readonly vendor: string;
  readonly model: string;
  readonly firmware: string | undefined;
  readonly region: string;
}

export interface FleetReader {
  /** Members that stand alike, counted by the database; decommissioned ones are none any more. */
  standings(view: FleetView, filter?: Pick<MemberFilter, 'region'>): Promise<FleetStanding[]>;
  /** One page of members, in the order of ids. */
  members(view: FleetView, filter: MemberFilter, page: Page): Promise<ReportedMember[]>;
  /** Gateways below a level and not waived: those whose clock runs longest first. */
  stragglers(view: FleetView, below: FleetLevel, limit: number): Promise<FleetMember[]>;
  evidenceAge(view: FleetView): Promise<FleetEvidenceAge>;
  waivers(upgradeId: string, deviceId: string): Promise<FleetWaiverRow[]>;
  listWaivers(upgradeId: string, page: Page): Promise<FleetWaiverRow[]>;
  /** Of the registry: gateways in service, each combination once. */
  estate(): Promise<EstateRow[]>;
  /** `sm3:<hex>` of the root that an upgrade is measured against; undefined before it has members. */
  rootOf(upgradeId: string): Promise<string | undefined>;
  isMember(upgradeId: string, deviceId: string): Promise<boolean>;
  /** True for a member whose wave has begun. */
  isOffered(upgradeId: string, deviceId: string): Promise<boolean>;
  /** Ids of devices with a waiver in force. */
  waived(upgradeId: string, at: Date): Promise<string[]>;
  /** Ids of members that no wave has taken in yet, in their order; of these regions. */
  waiting(upgradeId: string, regions: readonly string[] | undefined, page: Page): Promise<string[]>;
  snapshot(id: string): Promise<FleetSnapshotRow | undefined>;
  latestSnapshot(upgradeId: string): Promise<FleetSnapshotRow | undefined>;
  snapshotMembers(snapshotId: string, page: Page): Promise<SnapshotMemberRow[]>;
}

export interface FleetWriter extends FleetReader {
  /** Says which root an upgrade is measured against. @throws KmcError E_CONFLICT for another one than before. */
  setRoot(upgradeId: string, rootSm3: string): Promise<void>;
  /** Devices of the canary ring: members in wave 0, whose clock begins. Those that are members already stay as they are. */
  enlistRing(upgradeId: string, deviceIds: readonly string[], at: Date): Promise<number>;
  /**
   * Freezes the denominator: every device that has enrolled and was not decommissioned becomes a member. Called again it
   * takes in those that came later. @returns how many came in.
   */
  enlistFleet(upgradeId: string, at: Date): Promise<number>;
  /** Begins the wave of members that had none. @returns how many. */
  beginWave(upgradeId: string, wave: number, deviceIds: readonly string[], at: Date): Promise<number>;
  /** The same for all that are left. */
  beginLastWave(upgradeId: string, wave: number, at: Date): Promise<number>;
  /** False when that waiver, the first or the renewal, stands already. */
  insertWaiver(row: FleetWaiverRow): Promise<boolean>;
  insertSnapshot(row: FleetSnapshotRow, members: readonly SnapshotMemberRow[]): Promise<boolean>;
}
