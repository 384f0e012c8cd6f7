/** The waves of a rollout (A.5): when the next one may begin, and when the upgrade pauses by itself. */
import type { Blocker } from '../../errors.ts';
import type { UpgradeFacts } from './facts.ts';
import { gateText } from './gates.ts';
import { HOUR_MS, unless, waited, type Found } from './guard-kit.ts';

/** Waves in which too many devices reported an error or lost contact, in words. */
export function failingWaves({ fleet, plan }: Pick<UpgradeFacts, 'fleet' | 'plan'>): Found {
  const limit = plan.gates['wave-failures'];
  return (fleet?.waves ?? []).flatMap(({ wave, counted, faulty, silent }) =>
    unless(
      (faulty + silent) * 10_000 <= counted * limit,
      `Wave ${wave}: ${faulty} of ${counted} report an error, ${silent} lost contact; the plan allows ` +
        `${gateText('wave-failures', limit)} %.`,
      { numbers: { counted: String(counted), faulty: String(faulty), silent: String(silent) } },
    ),
  );
}

/** What keeps the next wave from beginning. */
export function waveBlockers(facts: UpgradeFacts): Blocker[] {
  const { state, suspended, waves, plan } = facts;
  const found: Readonly<Record<string, Found>> = {
    state: unless(state === 'ROLLOUT', `Waves are opened in ROLLOUT, and this is ${state}.`),
    suspended: unless(!suspended, 'The upgrade is suspended: two people resume it.'),
    waves: unless(waves.opened < plan.waves.length, 'All waves are open.'),
    interval: waited(waves.lastAt, 'wave-hours', HOUR_MS, 'The wave before', facts),
    failures: failingWaves(facts),
  };
  return Object.entries(found).flatMap(([guard, blockers]) => blockers.map((blocker) => ({ guard, ...blocker })));
}
