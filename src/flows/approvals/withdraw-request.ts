import { requireMove } from '../../domain/approval/state.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { requestEvent, requestOf, type ApprovalPorts } from './stored-request.ts';

export interface WithdrawRequestInput {
  readonly requestId: string;
  readonly source: AuditSource;
}

/**
 * Takes a request back: its proposer, before it is executed.
 * @throws KmcError E_NOT_FOUND, E_FORBIDDEN (somebody else), E_STATE (executed or ended), E_CONFLICT.
 */
export async function withdrawRequest(
  ports: ApprovalPorts,
  { requestId, source }: WithdrawRequestInput,
  caller: Caller,
): Promise<void> {
  const now = ports.clock.now();
  const eventId = newId('ev', now);
  await ports.database.transaction(async (tx) => {
    const row = await tx.requests.lock(requestId);
    if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no request with that id.');
    const request = requestOf(row, ports.environmentName);
    const proposer =
      caller.type === 'system' ? `system/${caller.id}` : caller.type === 'person' ? caller.id : undefined;
    if (proposer !== request.proposer) {
      throw new KmcError('E_FORBIDDEN', 'Only who proposed a request takes it back. Reject it instead.');
    }
    requireMove(row.state, 'WITHDRAWN');
    const from = { state: row.state, version: row.version };
    if (!(await tx.requests.move({ id: row.id, from, to: 'WITHDRAWN', at: now, auditEvent: eventId }))) {
      throw new KmcError('E_CONFLICT', 'The request changed at the same time. Read it and try again.');
    }
    await tx.audit.append(
      requestEvent({
        id: eventId,
        action: 'request.withdraw',
        moved: { from: row.state, to: 'WITHDRAWN' },
        outcome: 'success',
        request,
        digest: row.digest,
        version: row.version + 1,
        actor: auditActor(caller),
        source,
      }),
      now,
    );
  });
}
