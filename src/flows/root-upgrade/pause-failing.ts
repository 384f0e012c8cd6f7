import type { SystemCaller } from '../../domain/caller.ts';
import { failingWaves } from '../../domain/root-upgrade/waves.ts';
import { KmcError } from '../../errors.ts';
import { readFacts } from './read-facts.ts';
import { suspendUpgrade } from './suspend-upgrade.ts';
import type { UpgradePorts } from './upgrade-ports.ts';

/**
 * Suspends every rollout in which more devices of a wave report errors, or lost contact, than its plan allows.
 * @returns the ids of those that were suspended now.
 */
export async function pauseFailing(ports: UpgradePorts, caller: SystemCaller): Promise<readonly string[]> {
  const running = await ports.database.read((reader) => reader.rootUpgrades.underWay());
  const paused: string[] = [];
  for (const row of running.filter(
    ({ state, suspended }) => (state === 'PILOT' || state === 'ROLLOUT') && !suspended,
  )) {
    const facts = await ports.database.snapshot((reader) =>
      readFacts(reader, ports.fleet, row, { at: ports.clock.now() }),
    );
    const [failing] = failingWaves(facts);
    if (failing === undefined) continue;
    try {
      await suspendUpgrade(ports, caller, { upgrade: row.id, reason: `paused by the service: ${failing.text}` });
      paused.push(row.id);
    } catch (error) {
      // Somebody else suspended it, or it moved on.
      if (!(error instanceof KmcError && (error.code === 'E_STATE' || error.code === 'E_STALE'))) throw error;
    }
  }
  return paused;
}
