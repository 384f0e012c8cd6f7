/** What a root upgrade asks of the fleet: one object, so that its workflow knows nothing of how the fleet is kept. */
import { readReadinessBody } from '../../domain/fleet/readiness-body.ts';
import { readEvidenceBody } from '../../domain/fleet/evidence.ts';
import type { FleetLevel } from '../../domain/fleet/levels.ts';
import type { FleetReadiness } from '../../domain/fleet/readiness.ts';
import { KmcError } from '../../errors.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import { beginWave, type FleetWave } from './begin-wave.ts';
import { coverRing, type RingCover } from './cover-ring.ts';
import { readReadiness } from './read-readiness.ts';

/** The fleet of one upgrade, as of a moment. */
export interface FleetScope {
  readonly upgrade: string;
  /** `sm3:<hex>` of the key of the new root. */
  readonly rootSm3: string;
  readonly at: Date;
}

export interface FoundSnapshot {
  readonly id: string;
  readonly digest: string;
  readonly at: Date;
  readonly readiness: FleetReadiness;
}

export const UPGRADE_FLEET = {
  /** Undefined while the upgrade has no members. */
  async readiness(reader: Reader, { upgrade, ...view }: FleetScope, goal: FleetLevel) {
    return await readReadiness(reader, { upgradeId: upgrade, ...view }, goal);
  },
  /** The newest snapshot of the evidence. */
  async snapshot(reader: Reader, upgrade: string): Promise<FoundSnapshot | undefined> {
    const row = await reader.fleet.latestSnapshot(upgrade);
    if (row === undefined) return undefined;
    const readiness = readReadinessBody(readEvidenceBody(row.body).readiness);
    return { id: row.id, digest: row.digest, at: row.takenAt, readiness };
  },
  async ring(reader: Reader, devices: readonly string[]): Promise<RingCover> {
    return await coverRing(reader, devices);
  },
  async isOffered(reader: Reader, upgrade: string, device: string): Promise<boolean> {
    return await reader.fleet.isOffered(upgrade, device);
  },
  async waived(reader: Reader, upgrade: string, at: Date): Promise<ReadonlySet<string>> {
    return new Set(await reader.fleet.waived(upgrade, at));
  },
  /** The ring becomes members, in wave 0. @throws KmcError E_NOT_FOUND for a device that is not in service. */
  async enlistRing(tx: Transaction, { upgrade, rootSm3, at }: FleetScope, devices: readonly string[]): Promise<void> {
    await tx.fleet.setRoot(upgrade, rootSm3);
    const enlisted = await tx.fleet.enlistRing(upgrade, devices, at);
    if (enlisted === devices.length) return;
    throw new KmcError('E_NOT_FOUND', 'Devices of the ring are not in service, or stand in it twice.');
  },
  /** Every device that has enrolled becomes a member: the denominator is frozen. */
  async enlistFleet(tx: Transaction, { upgrade, rootSm3, at }: FleetScope): Promise<number> {
    await tx.fleet.setRoot(upgrade, rootSm3);
    return await tx.fleet.enlistFleet(upgrade, at);
  },
  async beginWave(tx: Transaction, { upgrade, at }: FleetScope, wave: FleetWave, number: number): Promise<number> {
    return await beginWave(tx, { upgradeId: upgrade, at }, wave, number);
  },
};
