/** Whether a request may be executed now: everything is looked at again, whatever was found when people decided. */
import { evaluateQuorum, requireQuorum, type QuorumEvaluation } from '../../domain/approval/evaluation.ts';
import { ruleOf, type ApprovalRequest } from '../../domain/approval/request.ts';
import { quorumPolicy } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import type { ApprovalRow } from '../ports/approvals.ts';
import type { Reader } from '../ports/database.ts';
import type { RequestRow } from '../ports/requests.ts';
import type { ActionHandler } from './action-handler.ts';
import { decisionsInForce, decisionsKey, peopleOf, requirePinnedPolicy, type ApprovalPorts } from './stored-request.ts';

export interface Ripe {
  readonly evaluation: QuorumEvaluation;
  readonly decisions: readonly ApprovalRow[];
}

/**
 * Refuses a request that is not ripe at `now`. The signatures of the decisions have been verified (`verified` is the key
 * that `verifyDecisions` gave): the bytes of a decision never change.
 * @throws KmcError E_STATE (not decided, executed already, ended), E_CONFLICT (the decisions changed in between),
 * E_QUORUM, E_TIME, E_STALE (policy or target changed), E_POLICY, E_PENDING (cool-down, with retryAfter).
 */
export async function requireRipe(
  reader: Reader,
  ports: ApprovalPorts,
  handler: ActionHandler,
  row: RequestRow,
  request: ApprovalRequest,
  verified: string,
  now: Date,
): Promise<Ripe> {
  requireDecidedState(row);
  await requirePinnedPolicy(reader, ports.policyDigest);
  const decisions = await reader.approvals.of(row.id);
  if (decisionsKey(decisions) !== verified) {
    throw new KmcError('E_CONFLICT', 'The decisions on the request changed at the same time. Try again.');
  }
  const bodies = decisionsInForce(decisions);
  const people = await peopleOf(
    reader,
    request,
    bodies.map((body) => body.approver),
  );
  const policy = quorumPolicy(ports.policies, ports.policyDigest);
  const evaluation = evaluateQuorum(request, bodies, people, policy, now);
  requireQuorum(evaluation);
  await requireCooledDown(reader, ports, handler, row, request, now);
  await requireTarget(reader, handler, request);
  return { evaluation, decisions };
}

function requireDecidedState(row: RequestRow): void {
  if (row.state === 'QUORUM' || row.state === 'FAILED') return;
  if (row.state === 'OPEN')
    throw new KmcError('E_QUORUM', 'The request still waits for approvals: kmc request show says which.');
  const text = row.state === 'DONE' ? 'The request was executed already.' : `The request is ${row.state}.`;
  throw new KmcError('E_STATE', `${text} Only a request with its quorum is executed.`);
}

async function requireCooledDown(
  reader: Reader,
  ports: ApprovalPorts,
  handler: ActionHandler,
  row: RequestRow,
  request: ApprovalRequest,
  now: Date,
): Promise<void> {
  const rule = ruleOf(request);
  const seconds = Math.max(ports.policies.quorums[rule.class].coolDownSeconds, rule.leastWaitSeconds ?? 0);
  const waits = ports.environment !== 'development' && seconds > 0 && row.quorumAt !== undefined;
  if (!waits || (await handler.urgent?.(reader, request)) === true) return;
  const left = Math.ceil((row.quorumAt.getTime() + seconds * 1000 - now.getTime()) / 1000);
  if (left <= 0) return;
  throw new KmcError('E_PENDING', 'The request cools down: until then any approver can take an approval back.', {
    retryAfter: left,
  });
}

async function requireTarget(reader: Reader, handler: ActionHandler, request: ApprovalRequest): Promise<void> {
  const [, targetId = ''] = request.target.split('/');
  const target = await handler.target(reader, targetId, request.params);
  if (target.state === request.preState && target.version === request.targetVersion) return;
  throw new KmcError('E_STALE', 'The target is no longer as it was when the request was made. Make a new request.');
}
