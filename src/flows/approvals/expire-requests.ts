import { mayMove } from '../../domain/approval/state.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import type { SystemCaller } from '../../domain/caller.ts';
import { endRequest } from './end-request.ts';
import type { ApprovalPorts } from './stored-request.ts';

/** Requests looked at in one run. */
const BATCH = 200;

/**
 * Ends the requests whose time is over, at most 200 a run. One that executes, or whose outcome is not known, stays.
 * @returns how many were ended.
 * @throws KmcError E_INTEGRITY, E_STORAGE, E_AUDIT.
 */
export async function expireRequests(
  ports: ApprovalPorts,
  { source }: { readonly source: AuditSource },
  caller: SystemCaller,
): Promise<number> {
  const now = ports.clock.now();
  const overdue = await ports.database.read((reader) => reader.requests.overdue(now, BATCH));
  let ended = 0;
  for (const row of overdue.filter((one) => mayMove(one.state, 'EXPIRED'))) {
    if (await endRequest(ports, row, { to: 'EXPIRED', action: 'request.expire', source, caller, now })) ended += 1;
  }
  return ended;
}
