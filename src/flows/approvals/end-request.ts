import type { RequestState } from '../../domain/approval/state.ts';
import type { AuditAction } from '../../domain/audit/actions.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { RequestRow } from '../ports/requests.ts';
import { requestEvent, requestOf, type ApprovalPorts } from './stored-request.ts';

/** The end of a request that the service itself sees: its time is over, or its policy is. */
export interface Ending {
  readonly to: RequestState;
  readonly action: AuditAction;
  readonly source: AuditSource;
  readonly caller: SystemCaller;
  readonly now: Date;
}

/**
 * Ends a request with its audit event.
 * @returns false when the request moved in the meantime: then it is left alone.
 * @throws KmcError E_INTEGRITY, E_STORAGE, E_AUDIT.
 */
export async function endRequest(ports: ApprovalPorts, row: RequestRow, ending: Ending): Promise<boolean> {
  const { to, action, source, caller, now } = ending;
  const eventId = newId('ev', now);
  const request = requestOf(row, ports.environmentName);
  return ports.database.transaction(async (tx) => {
    const from = { state: row.state, version: row.version };
    if (!(await tx.requests.move({ id: row.id, from, to, at: now, auditEvent: eventId }))) return false;
    const version = row.version + 1;
    const actor = auditActor(caller);
    const event = {
      id: eventId,
      action,
      outcome: 'success' as const,
      moved: { from: row.state, to },
      request,
      digest: row.digest,
      version,
      actor,
      source,
    };
    await tx.audit.append(requestEvent(event), now);
    return true;
  });
}
