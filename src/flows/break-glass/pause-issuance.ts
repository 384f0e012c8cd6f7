import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';

/** The one thing that is paused, in the audit log and as a target. */
export const ISSUANCE = 'certificates';

export interface PauseIssuanceInput {
  /** For people: why. */
  readonly reason: string;
  readonly requestId: string;
}

/**
 * Pauses the issuing of certificates, but for those of people and of the service itself: the database refuses every other
 * one until the act `issuance.resume` is done. For sealed accounts in their session.
 * @throws KmcError E_FORBIDDEN, E_STATE (paused already).
 */
export async function pauseIssuance(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { reason, requestId }: PauseIssuanceInput,
): Promise<void> {
  if (caller.type !== 'sealed-account') throw new KmcError('E_FORBIDDEN', 'This is for break-glass.');
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    const pause = { pausedAt: at, reason, session: caller.session, lastAuditEvent: id };
    if (!(await tx.breakGlass.pauseIssuance(pause))) throw new KmcError('E_STATE', 'Issuance is paused already.');
    await tx.audit.append(
      {
        id,
        action: 'issuance.pause',
        outcome: 'success',
        subjects: [{ type: 'issuance', id: ISSUANCE }],
        actor: auditActor(caller),
        source: { node: ports.node, request: requestId },
        detail: { account: caller.id, note: auditText(reason) },
      },
      at,
    );
  });
}
