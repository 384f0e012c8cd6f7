/** A change of an upgrade that is no transition: a wave, a pause, its end. State stays, version and history go on. */
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { RootUpgradeRow, UpgradeChange } from '../ports/root-upgrades.ts';

export interface RecordedChange extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals'> {
  readonly action: 'upgrade.wave' | 'upgrade.suspend' | 'upgrade.resume';
  readonly stated: SignedObject;
  readonly detail: AuditEventInput['detail'];
  readonly request?: string;
  readonly event: string;
  readonly at: Date;
}

/** @throws KmcError E_STALE when the upgrade changed at the same time. */
export async function recordChange(
  tx: Transaction,
  row: RootUpgradeRow,
  to: Pick<UpgradeChange, 'suspended' | 'wavesOpened' | 'lastWaveAt'>,
  { action, stated, detail, request, event, at, ...by }: RecordedChange,
): Promise<void> {
  const step = {
    upgrade: row.id,
    version: row.version + 1,
    step: action.slice('upgrade.'.length),
    fromState: row.state,
    toState: row.state,
    request,
    actor: by.actor.id,
    stated: canonicalizeSigned(stated),
    at,
    lastAuditEvent: event,
  };
  if (!(await tx.rootUpgrades.change(row, to, step))) {
    throw new KmcError('E_STALE', 'The root upgrade changed at the same time. Look at it again.');
  }
  await tx.audit.append(
    {
      id: event,
      action,
      outcome: 'success',
      subjects: [{ type: 'root-upgrade', id: row.id, version: step.version }],
      ...by,
      detail,
    },
    at,
  );
}
