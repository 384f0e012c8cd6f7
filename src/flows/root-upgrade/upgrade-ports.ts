/** What the flows of a root upgrade work with. */
import { KmcError } from '../../errors.ts';
import { UPGRADE_FLEET } from '../fleet/upgrade-fleet.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';
import type { UpgradeFleet } from '../ports/upgrade-fleet.ts';

export interface UpgradePorts extends Pick<Instance, 'database' | 'clock' | 'node' | 'policies'> {
  readonly fleet: UpgradeFleet;
}

/** The same of an instance, with the fleet as its database holds it. */
export function upgradePorts(instance: Omit<UpgradePorts, 'fleet'>): UpgradePorts {
  const { database, clock, node, policies } = instance;
  return { database, clock, node, policies, fleet: UPGRADE_FLEET };
}

/** @throws KmcError E_NOT_FOUND. */
export async function requireUpgrade(reader: Reader, id: string): Promise<RootUpgradeRow> {
  const row = await reader.rootUpgrades.find(id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no root upgrade of that id.');
  return row;
}
