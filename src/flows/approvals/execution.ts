/** The two ends of an execution (D.4): claimed once with its intent in the audit log, ended with result and event. */
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import type { ApprovalRequest } from '../../domain/approval/request.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { RequestRow } from '../ports/requests.ts';
import type { ActionHandler, ApprovedAct, ExecutionResult } from './action-handler.ts';
import { requireRipe } from './ripeness.ts';
import { requestEvent, type ApprovalPorts } from './stored-request.ts';

/** An execution that is about to begin: what was read and verified before its transaction. */
export interface Execution {
  readonly ports: ApprovalPorts;
  readonly request: ApprovalRequest;
  readonly digest: string;
  /** Key of the decisions whose signatures were verified. */
  readonly verified: string;
  readonly act: ApprovedAct;
  readonly eventIds: { readonly intent: string; readonly result: string };
}

/**
 * Locks the request, looks at everything again, moves it to EXECUTING and claims the one execution; the intent is in the
 * audit log.
 * @returns the row as it stands in EXECUTING.
 * @throws KmcError as `requireRipe`; E_STATE when it was executed.
 */
export async function claimExecution(
  tx: Transaction,
  execution: Execution,
  handler: ActionHandler,
): Promise<RequestRow> {
  const { ports, request, digest, verified, act, eventIds } = execution;
  const row = await tx.requests.lock(request.id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no request with that id.');
  await requireRipe(tx, ports, handler, row, request, verified, act.at);
  const from = { state: row.state, version: row.version };
  const moved = await tx.requests.move({ id: row.id, from, to: 'EXECUTING', at: act.at, auditEvent: eventIds.intent });
  if (!moved) throw new KmcError('E_CONFLICT', 'Somebody else executes the request. Read its state.');
  const claimed = await tx.executions.insert({ requestDigest: digest, at: act.at, result: undefined });
  // An external act that failed keeps its claim: its operation id keeps a second try from doing it twice.
  const retried = !claimed && row.state === 'FAILED' && (await tx.executions.find(digest))?.result === undefined;
  if (!claimed && !retried) throw new KmcError('E_STATE', 'The request was executed already.');
  const moving: RequestRow = { ...row, state: 'EXECUTING', version: row.version + 1 };
  const event = { request, digest, action: 'request.execute' as const, actor: act.actor, source: act.source };
  const more = { phase: 'intent' as const, approvals: act.approvals };
  await tx.audit.append(
    requestEvent({
      ...event,
      id: eventIds.intent,
      outcome: 'success',
      version: moving.version,
      moved: { from: row.state, to: 'EXECUTING' },
      more,
    }),
    act.at,
  );
  return moving;
}

export type ExecutionEnd =
  | { readonly state: 'DONE'; readonly result: ExecutionResult }
  | { readonly state: 'FAILED' | 'INDETERMINATE'; readonly code: string };

/**
 * Ends an execution: state, result and audit event in one.
 * @throws KmcError E_CONFLICT when somebody else ended it.
 */
export async function finishExecution(
  tx: Transaction,
  execution: Pick<Execution, 'request' | 'digest' | 'act' | 'eventIds'>,
  row: RequestRow,
  end: ExecutionEnd,
  at: Date,
): Promise<void> {
  const { request, digest, act, eventIds } = execution;
  const from = { state: row.state, version: row.version };
  const moved = await tx.requests.move({ id: row.id, from, to: end.state, at, auditEvent: eventIds.result });
  const kept = end.state !== 'DONE' || (await tx.executions.complete(digest, canonicalizeSigned(end.result)));
  if (!moved || !kept) throw new KmcError('E_CONFLICT', 'Somebody else ended the execution. Read its state.');
  const outcome = { DONE: 'success', FAILED: 'failure', INDETERMINATE: 'unknown' } as const;
  await tx.audit.append(
    requestEvent({
      id: eventIds.result,
      action: 'request.execute',
      outcome: outcome[end.state],
      moved: { from: row.state, to: end.state },
      request,
      digest,
      version: row.version + 1,
      actor: act.actor,
      source: act.source,
      more: { phase: 'result', ref: eventIds.intent, ...(end.state === 'DONE' ? {} : { code: end.code }) },
    }),
    at,
  );
}
