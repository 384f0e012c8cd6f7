/** What the fleet does in a root upgrade (enrolment-and-root-upgrade A.5): reports, positions, members, waivers, snapshots. */
import type { FleetEvidenceAge, FleetMember, FleetStanding } from '../../domain/fleet/readiness.ts';
import type { FleetLevel } from '../../domain/fleet/levels.ts';
import type { Page } from './database.ts';

/** A report as it came: nothing of it is ever changed. */
export interface DeviceReportRow {
  readonly id: string;
  readonly deviceId: string;
  readonly level: Exclude<FleetLevel, 'OFFERED'>;
  readonly bundle: string;
  readonly bundleVersion: number;
  readonly fault: string | undefined;
  /** The octets of the body: its digest stands in the base. */
  readonly body: Buffer;
  /** Signature base of RFC 9421, and the signature over it in its JSON form. */
  readonly signatureBase: Buffer;
  readonly signature: Buffer;
  /** `sm3:<hex>` of the certificate whose key signed. */
  readonly certificateSm3: string;
  readonly reportedAt: Date;
  readonly lastAuditEvent: string;
}

/** The newest that is known of a device, whatever the upgrade. */
export interface FleetDeviceRow {
  readonly deviceId: string;
  readonly bundle: string;
  /** The highest version that it reported. */
  readonly bundleVersion: number;
  readonly seenAt: Date;
  readonly reportId: string;
}

/** Where a device stands with one root. */
export interface FleetPositionRow {
  readonly rootSm3: string;
  readonly deviceId: string;
  readonly level: FleetLevel;
  readonly fault: string | undefined;
  readonly usedAt: Date | undefined;
  readonly oldUsedAt: Date | undefined;
  /** The report that put it there. */
  readonly reportId: string;
}

export interface CanaryChallengeRow {
  /** Hex of 24 octets; the leaf's alternative name begins with it. */
  readonly nonce: string;
  readonly deviceId: string;
  readonly rootSm3: string;
  /** `sm3:<hex>` of the two leaves. */
  readonly leafSm3: string;
  readonly decoySm3: string;
  /** The decoy and the CA that issued it, PEM. */
  readonly decoy: Buffer;
  readonly expiresAt: Date;
}

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
  report(id: string): Promise<DeviceReportRow | undefined>;
  /** Of these ids, in the order of ids. */
  reports(ids: readonly string[]): Promise<DeviceReportRow[]>;
  device(deviceId: string): Promise<FleetDeviceRow | undefined>;
  positions(deviceId: string): Promise<FleetPositionRow[]>;
  canary(nonce: string): Promise<CanaryChallengeRow | undefined>;
  /** Newest first. */
  canariesOf(deviceId: string, after: Date): Promise<CanaryChallengeRow[]>;
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
  insertReport(row: DeviceReportRow): Promise<boolean>;
  /** Puts the newest of a device. False when a higher version, or a later report, stands there. */
  putDevice(row: FleetDeviceRow): Promise<boolean>;
  putPosition(row: FleetPositionRow): Promise<void>;
  insertCanary(row: CanaryChallengeRow): Promise<boolean>;
  /** Takes the challenge away: true for the one who did. */
  takeCanary(nonce: string): Promise<boolean>;
  purgeCanaries(before: Date, limit: number): Promise<number>;
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
