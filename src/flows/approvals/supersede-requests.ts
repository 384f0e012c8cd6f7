import type { AuditSource } from '../../domain/audit/event.ts';
import type { SystemCaller } from '../../domain/caller.ts';
import { endRequest } from './end-request.ts';
import type { ApprovalPorts } from './stored-request.ts';

const SUPERSEDABLE = ['OPEN', 'QUORUM', 'FAILED'] as const;
/** Requests of one state that are looked at in one run. */
const BATCH = 1000;

/**
 * Ends the open requests that were made under another policy than the one in force: nobody can decide them any more. A
 * process whose own policy is no longer in force ends nothing.
 * @returns how many were ended.
 * @throws KmcError E_INTEGRITY, E_STORAGE, E_AUDIT.
 */
export async function supersedeRequests(
  ports: ApprovalPorts,
  { source }: { readonly source: AuditSource },
  caller: SystemCaller,
): Promise<number> {
  const now = ports.clock.now();
  const { rows, inForce } = await ports.database.read(async (reader) => {
    const lists = [];
    for (const state of SUPERSEDABLE) lists.push(await reader.requests.list({ state }, { limit: BATCH }));
    // After the rows: what is still in force now was in force when they were made, so none is of a newer policy.
    return { rows: lists.flat(), inForce: await reader.instance.get('policy-digest') };
  });
  if (inForce !== ports.policyDigest) return 0;
  let ended = 0;
  for (const row of rows.filter((one) => one.policyDigest !== ports.policyDigest)) {
    if (await endRequest(ports, row, { to: 'SUPERSEDED', action: 'request.supersede', source, caller, now }))
      ended += 1;
  }
  return ended;
}
