import { isInShare } from '../../domain/fleet/wave-share.ts';
import type { Transaction } from '../ports/database.ts';

/** Whom a wave takes in, of those that no wave has taken in before: a share of all, some regions, or everybody. */
export type FleetWave = { readonly percent: number } | { readonly regions: readonly string[] } | { readonly all: true };

const PAGE = 1_000;

/**
 * Begins a wave: its members are offered the bundle, and their clocks run. Shares count up, so that a wave of 10 % takes in
 * what the one of 1 % did not.
 * @param number of the wave, from 1.
 * @returns how many devices it took in.
 */
export async function beginWave(
  tx: Transaction,
  { upgradeId, at }: { readonly upgradeId: string; readonly at: Date },
  wave: FleetWave,
  number: number,
): Promise<number> {
  if ('all' in wave) return await tx.fleet.beginLastWave(upgradeId, number, at);
  const regions = 'regions' in wave ? wave.regions : undefined;
  let begun = 0;
  for (let after: string | undefined = ''; after !== undefined;) {
    const waiting: string[] = await tx.fleet.waiting(upgradeId, regions, { limit: PAGE, after });
    after = waiting.length < PAGE ? undefined : waiting.at(-1);
    const chosen = 'percent' in wave ? waiting.filter((id) => isInShare(upgradeId, id, wave.percent)) : waiting;
    begun += await tx.fleet.beginWave(upgradeId, number, chosen, at);
  }
  return begun;
}
