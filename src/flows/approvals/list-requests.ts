import { isAskedToDecide, seesRequest } from '../../domain/approval/visibility.ts';
import type { Caller, PersonCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import type { Page, Reader } from '../ports/database.ts';
import type { RequestFilter, RequestRow } from '../ports/requests.ts';
import { requestOf, type ApprovalPorts } from './stored-request.ts';

export interface ListRequestsInput {
  readonly filter: RequestFilter;
  readonly page: Page;
  /** Only open requests that wait for a decision of the caller. */
  readonly awaitingCaller: boolean;
}

export interface RequestList {
  readonly rows: readonly RequestRow[];
  /** Where the next page goes on: the last request that was looked at. Absent at the end. */
  readonly next?: string;
}

/**
 * The requests that the caller sees, in the order of ids. A page may hold fewer than its limit, or none, and still have a
 * next one: what the caller does not see is left out.
 * @throws KmcError E_FORBIDDEN unless the caller is a person.
 */
export async function listRequests(
  ports: ApprovalPorts,
  { filter, page, awaitingCaller }: ListRequestsInput,
  caller: Caller,
): Promise<RequestList> {
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'Only registered persons read requests.');
  return ports.database.read(async (reader) => {
    const wanted = awaitingCaller ? { ...filter, state: 'OPEN' as const } : filter;
    const scanned = await reader.requests.list(wanted, page);
    const rows: RequestRow[] = [];
    for (const row of scanned) {
      const request = requestOf(row, ports.environmentName);
      const shown = awaitingCaller
        ? isDecidable(ports, row) && isAskedToDecide(caller, request) && !(await hasDecided(reader, row, caller))
        : seesRequest(caller, request);
      if (shown) rows.push(row);
    }
    const last = scanned.at(-1);
    return { rows, ...(last === undefined || scanned.length < page.limit ? {} : { next: last.id }) };
  });
}

/** Open by its state, by the clock and under the policy in force: the regular work ends the others a little later. */
function isDecidable({ clock, policyDigest }: ApprovalPorts, row: RequestRow): boolean {
  return clock.now() < row.expiresAt && row.policyDigest === policyDigest;
}

async function hasDecided(reader: Reader, row: RequestRow, caller: PersonCaller): Promise<boolean> {
  return (await reader.approvals.of(row.id)).some((decision) => decision.personId === caller.id);
}
