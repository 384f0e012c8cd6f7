import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { STATED_TEXT } from '../../domain/root-upgrade/plan.ts';
import { UPGRADE_STATES } from '../../domain/root-upgrade/states.ts';
import { OPERATING_ROLES } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import { recordChange } from './record-change.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

export interface SuspendUpgradeInput {
  readonly upgrade: string;
  readonly reason: string;
  readonly requestId?: string;
}

/**
 * Suspends an upgrade between PILOT and RETIRING: it does not go forward, and nobody else is offered the new manifest,
 * until two people resume it (`root.resume`). Any one person with an operating role does so, or the service itself.
 * @throws KmcError E_FORBIDDEN, E_SCHEMA, E_NOT_FOUND, E_STATE, E_STALE.
 */
export async function suspendUpgrade(
  ports: UpgradePorts,
  caller: Caller,
  { upgrade, reason, requestId }: SuspendUpgradeInput,
): Promise<void> {
  const at = ports.clock.now();
  const event = newId('ev', at);
  const by = {
    actor: auditActor(caller),
    source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
  };
  const attempt = { action: 'upgrade.suspend', subjects: [{ type: 'root-upgrade', id: upgrade }], ...by } as const;
  await audited(ports, attempt, async () => {
    const isOperator = caller.type === 'person' && caller.roles.some(({ role }) => OPERATING_ROLES.includes(role));
    if (!isOperator && caller.type !== 'system') {
      throw new KmcError('E_FORBIDDEN', 'An upgrade is suspended by anybody with an operating role.');
    }
    const fault = STATED_TEXT(reason);
    if (fault !== undefined) throw new KmcError('E_SCHEMA', `The reason ${fault}.`);
    await ports.database.transaction(async (tx) => {
      const row = await requireUpgrade(tx, upgrade);
      if (row.suspended || !UPGRADE_STATES[row.state].suspendable) {
        throw new KmcError('E_STATE', row.suspended ? 'It is suspended already.' : `Nothing runs in ${row.state}.`);
      }
      await recordChange(
        tx,
        row,
        { suspended: true },
        {
          ...by,
          action: 'upgrade.suspend',
          stated: { reason },
          detail: { note: auditText(reason), from: row.state },
          event,
          at,
        },
      );
    });
  });
}
