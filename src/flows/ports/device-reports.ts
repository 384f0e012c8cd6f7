/** Signed reports of devices, where each device stands by them, and the canaries they are to answer (A.5). */
import type { FleetLevel } from '../../domain/fleet/levels.ts';

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
  /** The highest version that it reported to be in its store; 0 before it did. */
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

export interface DeviceReportReader {
  report(id: string): Promise<DeviceReportRow | undefined>;
  /** Of these ids. */
  reports(ids: readonly string[]): Promise<DeviceReportRow[]>;
  device(deviceId: string): Promise<FleetDeviceRow | undefined>;
  positions(deviceId: string): Promise<FleetPositionRow[]>;
  canary(nonce: string): Promise<CanaryChallengeRow | undefined>;
  /** Newest first. */
  canariesOf(deviceId: string, after: Date): Promise<CanaryChallengeRow[]>;
}

export interface DeviceReportWriter extends DeviceReportReader {
  insertReport(row: DeviceReportRow): Promise<boolean>;
  /** Puts the newest of a device. False when a higher version, or a later report, stands there. */
  putDevice(row: FleetDeviceRow): Promise<boolean>;
  putPosition(row: FleetPositionRow): Promise<void>;
  insertCanary(row: CanaryChallengeRow): Promise<boolean>;
  /** Takes the challenge away: true for the one who did. */
  takeCanary(nonce: string): Promise<boolean>;
  purgeCanaries(before: Date, limit: number): Promise<number>;
}
