/** The fleet as a root upgrade asks for it: figures for the guards, and members for the ring and the waves (A.5). */
import type { FleetLevel } from '../../domain/fleet/levels.ts';
import type { FleetReadiness } from '../../domain/fleet/readiness.ts';
import type { RingFacts, SnapshotFact } from '../../domain/root-upgrade/facts.ts';
import type { UpgradeWave } from '../../domain/root-upgrade/plan.ts';
import type { Reader, Transaction } from './database.ts';

/** The fleet of one upgrade, as of a moment. */
export interface AskedFleet {
  /** Id of the upgrade. */
  readonly upgrade: string;
  /** `sm3:<hex>` of the key of the new root: what devices report about. */
  readonly rootSm3: string;
  readonly at: Date;
}

export interface UpgradeFleet {
  /** Undefined while the upgrade has no members. */
  readiness(reader: Reader, asked: AskedFleet, goal: FleetLevel): Promise<FleetReadiness | undefined>;
  /** The newest snapshot of the evidence. */
  snapshot(reader: Reader, upgrade: string): Promise<SnapshotFact | undefined>;
  /** How a ring of these devices covers the gateways in service. */
  ring(reader: Reader, devices: readonly string[]): Promise<RingFacts>;
  /** True for a member whose wave has begun. */
  isOffered(reader: Reader, upgrade: string, device: string): Promise<boolean>;
  /** Devices whose waiver is in force. */
  waived(reader: Reader, upgrade: string, at: Date): Promise<ReadonlySet<string>>;
  /** The ring becomes members, in wave 0. */
  enlistRing(tx: Transaction, asked: AskedFleet, devices: readonly string[]): Promise<void>;
  /** Every device in service becomes a member: the denominator is frozen. */
  enlistFleet(tx: Transaction, asked: AskedFleet): Promise<number>;
  /** A wave begins for the members it names that were in none. @returns how many. */
  beginWave(tx: Transaction, asked: AskedFleet, wave: UpgradeWave, number: number): Promise<number>;
}
