/**
 * Which version of a bundle is served to whom. The manifest of an upgrade becomes a link of the chain with its pilot, so
 * that every later version follows the one that the canary ring has; but until the rollout nobody else is served it, and
 * in the rollout each device from its wave on. A device is known by its signature: an address or a header proves nothing.
 */
import type { UpgradeState } from '../../domain/root-upgrade/states.ts';
import type { Reader } from '../ports/database.ts';
import type { RootUpgradeRow, UpgradeManifestRow } from '../ports/root-upgrades.ts';
import type { TrustBundleRow } from '../ports/trust-bundles.ts';
import type { UpgradeFleet } from '../ports/upgrade-fleet.ts';
import { planOf } from './plan-of.ts';

/** Versions from `from` on are held back from the public. */
interface HeldBack {
  readonly upgrade: RootUpgradeRow;
  readonly from: number;
  /** They are to be had by their number, though not as the newest. */
  readonly byNumber: boolean;
}

async function isPilotOnly(reader: Reader, upgrade: string): Promise<boolean> {
  const steps = await reader.rootUpgrades.steps(upgrade);
  return !steps.some(({ toState }) => toState === 'ROLLOUT');
}

const ENDED_EARLY: readonly UpgradeState[] = ['ABORTED', 'SUPERSEDED'];

async function stagedOf(reader: Reader, upgrade: string): Promise<UpgradeManifestRow | undefined> {
  return (await reader.rootUpgrades.manifests(upgrade)).find(({ purpose }) => purpose === 'stage');
}

/** What is held back of a bundle now. */
async function heldBack(reader: Reader, latest: TrustBundleRow): Promise<HeldBack | undefined> {
  for (const upgrade of await reader.rootUpgrades.list({ bundle: latest.bundle })) {
    const { state, suspended, wavesOpened } = upgrade;
    const isPaced = state === 'ROLLOUT' && (suspended || wavesOpened < planOf(upgrade).waves.length);
    const mayBeHeld = state === 'PILOT' || isPaced || ENDED_EARLY.includes(state);
    const staged = mayBeHeld ? await stagedOf(reader, upgrade.id) : undefined;
    if (staged === undefined || latest.version < staged.version) continue;
    if (state === 'PILOT' || isPaced) return { upgrade, from: staged.version, byNumber: isPaced };
    // Given up in the pilot: the ring has it, and everybody else goes straight on to the version that takes it back.
    const isNewest = latest.version === staged.version && latest.digest === staged.digest;
    if (isNewest && (await isPilotOnly(reader, upgrade.id))) return { upgrade, from: staged.version, byNumber: false };
  }
  return undefined;
}

/** The newest version that is public. */
export async function publicLatest(reader: Reader, bundle: string): Promise<TrustBundleRow | undefined> {
  const latest = await reader.trustBundles.latest(bundle);
  const held = latest === undefined ? undefined : await heldBack(reader, latest);
  return held === undefined ? latest : await reader.trustBundles.find(bundle, held.from - 1);
}

/** One version, where it is public. */
export async function publicVersion(
  reader: Reader,
  bundle: string,
  version: number,
): Promise<TrustBundleRow | undefined> {
  const latest = await reader.trustBundles.latest(bundle);
  const held = latest === undefined ? undefined : await heldBack(reader, latest);
  if (held !== undefined && !held.byNumber && version >= held.from) return undefined;
  return await reader.trustBundles.find(bundle, version);
}

/** True when the device is offered what is held back from others: in the ring, or in a wave that has begun. */
async function isOffered(reader: Reader, fleet: UpgradeFleet, bundle: string, device: string): Promise<boolean> {
  const latest = await reader.trustBundles.latest(bundle);
  const held = latest === undefined ? undefined : await heldBack(reader, latest);
  if (held === undefined || held.upgrade.suspended || ENDED_EARLY.includes(held.upgrade.state)) return false;
  return await fleet.isOffered(reader, held.upgrade.id, device);
}

/** The newest version for a device. */
export async function latestFor(
  reader: Reader,
  fleet: UpgradeFleet,
  bundle: string,
  device: string,
): Promise<TrustBundleRow | undefined> {
  if (await isOffered(reader, fleet, bundle, device)) return await reader.trustBundles.latest(bundle);
  return await publicLatest(reader, bundle);
}

/** One version, where it is public or the device is offered it. */
export async function versionFor(
  reader: Reader,
  fleet: UpgradeFleet,
  { bundle, version, device }: { readonly bundle: string; readonly version: number; readonly device: string },
): Promise<TrustBundleRow | undefined> {
  if (await isOffered(reader, fleet, bundle, device)) return await reader.trustBundles.find(bundle, version);
  return await publicVersion(reader, bundle, version);
}
