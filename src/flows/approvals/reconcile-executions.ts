import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { RequestRow } from '../ports/requests.ts';
import type { ActionHandlers, ApprovedAct, ExternalHandler } from './action-handler.ts';
import { finishExecution, type ExecutionEnd } from './execution.ts';
import { requestOf, type ApprovalPorts } from './stored-request.ts';

export interface ReconcileInput {
  /** An execution that has not ended for this long is looked up. */
  readonly afterSeconds: number;
  readonly source: AuditSource;
}

const BATCH = 100;

/**
 * Ends executions that a crash left open: the effect is looked up by its operation id and never done again. Found, the
 * request is DONE. Not found, it becomes INDETERMINATE first and FAILED at a later look: whoever was slow had time to end.
 * @returns how many requests moved.
 * @throws KmcError E_INTEGRITY, E_STORAGE, E_AUDIT.
 */
export async function reconcileExecutions(
  ports: ApprovalPorts & { readonly handlers: ActionHandlers },
  { afterSeconds, source }: ReconcileInput,
  caller: SystemCaller,
): Promise<number> {
  const now = ports.clock.now();
  const since = new Date(now.getTime() - afterSeconds * 1000);
  const rows = await ports.database.read(async (reader) => [
    ...(await reader.requests.stuck(since, BATCH)),
    ...(await reader.requests.list({ state: 'INDETERMINATE' }, { limit: BATCH })).filter(
      (row) => row.changedAt < since,
    ),
  ]);
  let moved = 0;
  for (const row of rows) {
    const handler = ports.handlers[row.op];
    if (handler?.kind !== 'external') continue;
    if (await reconcile(ports, row, handler, { source, caller, now })) moved += 1;
  }
  return moved;
}

async function reconcile(
  ports: ApprovalPorts,
  row: RequestRow,
  handler: ExternalHandler,
  { source, caller, now }: { readonly source: AuditSource; readonly caller: SystemCaller; readonly now: Date },
): Promise<boolean> {
  const request = requestOf(row, ports.environmentName);
  const end = await lookUp(row, handler);
  if (end === undefined) return false;
  const act: ApprovedAct = {
    request,
    requestDigest: row.digest,
    counted: [],
    approvals: [],
    actor: auditActor(caller),
    source,
    at: now,
  };
  const eventIds = { intent: newId('ev', now), result: newId('ev', now) };
  await ports.database.transaction(async (tx) => {
    if (end.state === 'DONE') await handler.record?.(tx, act, end.result);
    await finishExecution(tx, { request, digest: row.digest, act, eventIds }, row, end, now);
  });
  return true;
}

/** How the execution ends, undefined when that cannot be known yet. */
async function lookUp(row: RequestRow, handler: ExternalHandler): Promise<ExecutionEnd | undefined> {
  try {
    const result = await handler.settled(row.digest);
    if (result !== undefined) return { state: 'DONE', result };
    return row.state === 'EXECUTING'
      ? { state: 'INDETERMINATE', code: 'E_PENDING' }
      : { state: 'FAILED', code: 'E_STATE' };
  } catch {
    return row.state === 'EXECUTING' ? { state: 'INDETERMINATE', code: 'E_PENDING' } : undefined;
  }
}
