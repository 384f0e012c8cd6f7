import { evaluateQuorum, type QuorumEvaluation } from '../../domain/approval/evaluation.ts';
import type { ApprovalRequest } from '../../domain/approval/request.ts';
import { seesRequest } from '../../domain/approval/visibility.ts';
import type { Caller } from '../../domain/caller.ts';
import { quorumPolicy } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import type { ApprovalRow } from '../ports/approvals.ts';
import type { RequestRow } from '../ports/requests.ts';
import { decisionsInForce, peopleOf, requestOf, type ApprovalPorts } from './stored-request.ts';

export interface ShownRequest {
  readonly row: RequestRow;
  readonly request: ApprovalRequest;
  /** Withdrawn ones too, in the order of time. */
  readonly decisions: readonly ApprovalRow[];
  /** How the decisions count as things stand now. */
  readonly evaluation: QuorumEvaluation;
  /** JSON; absent until the act is done. */
  readonly result: string | undefined;
}

/**
 * One request with the decisions on it and what came of it.
 * @throws KmcError E_NOT_FOUND, with one text for a request that is absent and one that the caller does not see;
 * E_INTEGRITY.
 */
export async function showRequest(ports: ApprovalPorts, requestId: string, caller: Caller): Promise<ShownRequest> {
  return ports.database.snapshot(async (reader) => {
    const row = await reader.requests.find(requestId);
    const request = row === undefined ? undefined : requestOf(row, ports.environmentName);
    const sees = caller.type === 'system' || (caller.type === 'person' && request && seesRequest(caller, request));
    if (row === undefined || request === undefined || sees !== true) {
      throw new KmcError('E_NOT_FOUND', 'There is no request with that id.', { concealed: request !== undefined });
    }
    const decisions = await reader.approvals.of(row.id);
    const bodies = decisionsInForce(decisions);
    const people = await peopleOf(
      reader,
      request,
      bodies.map((body) => body.approver),
    );
    const policy = quorumPolicy(ports.policies, ports.policyDigest);
    return {
      row,
      request,
      decisions,
      evaluation: evaluateQuorum(request, bodies, people, policy, ports.clock.now()),
      result: (await reader.executions.find(row.digest))?.result,
    };
  });
}
