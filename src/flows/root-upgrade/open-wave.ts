import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { waveBlockers } from '../../domain/root-upgrade/waves.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import { readFacts } from './read-facts.ts';
import { recordChange } from './record-change.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

/** Waves are operations (D.3); their schedule was approved with T5. */
export const WAVE_ROLES: readonly RoleName[] = ['system-administrator'];

export interface OpenedWave {
  /** Its number, from 1. */
  readonly wave: number;
  /** Devices that are offered the manifest from now on. */
  readonly devices: number;
}

/**
 * Opens the next wave of a rollout.
 * @throws KmcError E_FORBIDDEN, E_NOT_FOUND; E_STATE with `blockedBy` (suspended, too early, too many failures in the waves
 * before, none left); E_STALE.
 */
export async function openWave(
  ports: UpgradePorts,
  caller: Caller,
  { upgrade, requestId }: { readonly upgrade: string; readonly requestId: string },
): Promise<OpenedWave> {
  const at = ports.clock.now();
  const event = newId('ev', at);
  const by = { actor: auditActor(caller), source: { node: ports.node, request: requestId } };
  const attempt = { action: 'upgrade.wave', subjects: [{ type: 'root-upgrade', id: upgrade }], ...by } as const;
  return await audited(ports, attempt, async () => {
    if (caller.type !== 'person' || !WAVE_ROLES.some((role) => holdsRoleIn(caller, role))) {
      throw new KmcError('E_FORBIDDEN', `A wave is opened by the role ${WAVE_ROLES.join(', ')}.`);
    }
    return await ports.database.transaction(async (tx) => {
      const row = await requireUpgrade(tx, upgrade);
      const facts = await readFacts(tx, ports.fleet, row, { at });
      const blockedBy = waveBlockers(facts);
      const wave = facts.plan.waves[row.wavesOpened];
      if (blockedBy.length > 0 || wave === undefined) {
        throw new KmcError('E_STATE', `The next wave is not opened: ${blockedBy[0]?.text ?? 'all are open.'}`, {
          blockedBy,
        });
      }
      const number = row.wavesOpened + 1;
      const asked = { upgrade, rootSm3: facts.newRootKey ?? '', at };
      // Devices that came since the last wave are in it, or in one of those that follow.
      await ports.fleet.enlistFleet(tx, asked);
      const devices = await ports.fleet.beginWave(tx, asked, wave, number);
      await recordChange(
        tx,
        row,
        { wavesOpened: number, lastWaveAt: at },
        {
          ...by,
          action: 'upgrade.wave',
          stated: { wave: String(number), devices: String(devices) },
          detail: { wave: number, devices },
          event,
          at,
        },
      );
      return { wave: number, devices };
    });
  });
}
