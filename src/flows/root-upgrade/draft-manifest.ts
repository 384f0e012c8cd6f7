import type { ManifestPurpose } from '../../domain/root-upgrade/facts.ts';
import { nextManifest } from '../../domain/root-upgrade/next-manifest.ts';
import type { UpgradeKind, UpgradeState } from '../../domain/root-upgrade/states.ts';
import { wantsManifest } from '../../domain/root-upgrade/ways.ts';
import type { ManifestBody } from '../../domain/trust/manifest.ts';
import { LONGEST_LIFE_DAYS } from '../../domain/trust/manifest-consistency.ts';
import { KmcError } from '../../errors.ts';
import { readPublished } from '../trust/read-published.ts';
import { manifestParts } from './manifest-parts.ts';
import { planOf } from './plan-of.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

const DAY_MS = 86_400_000;

/** @throws KmcError E_STATE unless a transition out of the state asks for that manifest. */
export function requireWanted(purpose: ManifestPurpose, state: UpgradeState, kind: UpgradeKind): void {
  if (wantsManifest(purpose, state, kind)) return;
  throw new KmcError('E_STATE', `No transition out of ${state} publishes a manifest to ${purpose}.`);
}

export interface DraftManifestInput {
  readonly upgrade: string;
  readonly purpose: ManifestPurpose;
  /** Of a manifest that retires the old anchor; the earliest that the plan allows, unless told. */
  readonly distrustAfter?: Date | undefined;
}

/**
 * The body of the manifest that the upgrade publishes next for a purpose, for bundle-signers to sign.
 * @throws KmcError E_NOT_FOUND (upgrade, or an authority that no ceremony brought), E_STATE, E_FORBIDDEN (a signer of the
 * plan without an account).
 */
export async function draftManifest(ports: UpgradePorts, input: DraftManifestInput): Promise<ManifestBody> {
  const at = ports.clock.now();
  return await ports.database.snapshot(async (reader) => {
    const row = await requireUpgrade(reader, input.upgrade);
    requireWanted(input.purpose, row.state, row.kind);
    const plan = planOf(row);
    const { latest } = await readPublished(reader, plan.bundle);
    if (latest === undefined)
      throw new KmcError('E_STATE', 'Nothing is published of that bundle yet: begin with version 1.');
    const parts = await manifestParts(reader, plan, latest.body, at);
    // A minute more than the plan asks: times stand in whole seconds.
    const earliest = new Date(at.getTime() + plan.gates['distrust-days'] * DAY_MS + 60_000);
    return nextManifest(input.purpose, parts, {
      issuedAt: at,
      expiresAt: new Date(at.getTime() + LONGEST_LIFE_DAYS * DAY_MS),
      ...(input.purpose === 'retire' ? { distrustAfter: input.distrustAfter ?? earliest } : {}),
    });
  });
}
