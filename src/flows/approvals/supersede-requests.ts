import type { AuditSource } from '../../domain/audit/event.ts';
import type { SystemCaller } from '../../domain/caller.ts';
import { endRequest } from './end-request.ts';
import type { ApprovalPorts } from './stored-request.ts';

/**
 * Ends the open requests that were made under another policy than the one in force: nobody can decide them any more.
 * @returns how many were ended.
 * @throws KmcError E_INTEGRITY, E_STORAGE, E_AUDIT.
 */
export async function supersedeRequests(
  ports: ApprovalPorts,
  { source }: { readonly source: AuditSource },
  caller: SystemCaller,
): Promise<number> {
  const now = ports.clock.now();
  let ended = 0;
  for (const state of ['OPEN', 'QUORUM', 'FAILED'] as const) {
    const rows = await ports.database.read((reader) => reader.requests.list({ state }, { limit: 1000 }));
    for (const row of rows.filter((one) => one.policyDigest !== ports.policyDigest)) {
      if (await endRequest(ports, row, { to: 'SUPERSEDED', action: 'request.supersede', source, caller, now }))
        ended += 1;
    }
  }
  return ended;
}
