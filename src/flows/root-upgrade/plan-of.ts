import { parseStrictJson } from '../../crypto/jcs.ts';
import { readPlan, type UpgradePlan } from '../../domain/root-upgrade/plan.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';

/** The plan of an upgrade. */
export function planOf({ plan }: Pick<RootUpgradeRow, 'plan'>): UpgradePlan {
  return readPlan(parseStrictJson(plan));
}
