import { blockersOf } from '../../domain/root-upgrade/evaluate.ts';
import type { UpgradeFacts } from '../../domain/root-upgrade/facts.ts';
import { type TransitionName } from '../../domain/root-upgrade/transitions.ts';
import { forwardFrom, transitionsFrom } from '../../domain/root-upgrade/ways.ts';
import { waveBlockers } from '../../domain/root-upgrade/waves.ts';
import type { Blocker } from '../../errors.ts';
import type {
  RootUpgradeRow,
  UpgradeAttestationRow,
  UpgradeManifestRow,
  UpgradeStepRow,
} from '../ports/root-upgrades.ts';
import { readFacts } from './read-facts.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

export interface ShownUpgrade {
  readonly row: RootUpgradeRow;
  readonly facts: UpgradeFacts;
  readonly steps: readonly UpgradeStepRow[];
  readonly attestations: readonly UpgradeAttestationRow[];
  readonly manifests: readonly UpgradeManifestRow[];
  /** The way forward; absent at an end. */
  readonly forward: TransitionName | undefined;
  /** Every transition that leads out of the state, with what stands in its way. Links are looked at by T3 itself. */
  readonly transitions: readonly { readonly name: TransitionName; readonly blockedBy: readonly Blocker[] }[];
  /** What keeps the next wave from beginning; absent outside of a rollout. */
  readonly nextWave: readonly Blocker[] | undefined;
}

/** Where an upgrade stands, and what stands in its way. @throws KmcError E_NOT_FOUND. */
export async function showUpgrade(ports: UpgradePorts, id: string): Promise<ShownUpgrade> {
  const at = ports.clock.now();
  return await ports.database.snapshot(async (reader) => {
    const row = await requireUpgrade(reader, id);
    const facts = await readFacts(reader, ports.fleet, row, { at });
    const names = transitionsFrom(row.state, row.kind).filter((name) => name !== 'R4');
    const blockersTo = (name: TransitionName) => blockersOf(facts, name).filter(({ guard }) => guard !== 'links');
    return {
      row,
      facts,
      steps: await reader.rootUpgrades.steps(id),
      attestations: await reader.rootUpgrades.attestations(id),
      manifests: await reader.rootUpgrades.manifests(id),
      forward: forwardFrom(row.state, row.kind),
      transitions: names.map((name) => ({ name, blockedBy: blockersTo(name) })),
      nextWave: row.state === 'ROLLOUT' ? waveBlockers(facts) : undefined,
    };
  });
}
