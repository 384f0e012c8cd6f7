import { approversOf, proposersOf } from '../../domain/action.ts';
import { ruleOf, type ApprovalRequest } from '../../domain/approval/request.ts';
import type { AuditActor, AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { RequestRow } from '../ports/requests.ts';
import type { ActionHandler, ActionHandlers, DatabaseHandler, ExecutionResult } from './action-handler.ts';
import { executeOutside } from './execute-outside.ts';
import { claimExecution, finishExecution, type Execution } from './execution.ts';
import { requireRipe } from './ripeness.ts';
import { auditApprovals, requestEvent, requestOf, verifyDecisions, type ApprovalPorts } from './stored-request.ts';

export interface ExecuteRequestInput {
  readonly requestId: string;
  readonly source: AuditSource;
}

export interface ExecutedRequest {
  readonly requestId: string;
  /** `sm3:<hex>` */
  readonly requestDigest: string;
  readonly result: ExecutionResult;
}

interface Scene {
  readonly row: RequestRow;
  readonly request: ApprovalRequest;
  readonly actor: AuditActor;
  readonly source: AuditSource;
}

/** Refusals that say nothing about the request itself: they leave no event. */
const QUIET_CODES: readonly string[] = ['E_STATE', 'E_CONFLICT', 'E_PENDING', 'E_NOT_FOUND', 'E_STORAGE'];

/**
 * Does what was approved, exactly once. Signatures, certificates, roles, distinct persons, expiry, policy and the target
 * are all looked at again, in the transaction that does it; of any number of callers one does it and the others get
 * E_STATE or E_CONFLICT.
 * @throws KmcError E_NOT_FOUND, E_FORBIDDEN (the caller neither proposes nor approves such acts), E_STATE, E_CONFLICT,
 * E_QUORUM, E_TIME, E_STALE, E_POLICY, E_PENDING (cool-down), E_SIGNATURE, E_APPROVAL, E_USAGE (no handler), and what
 * the handler of the act refuses.
 */
export async function executeRequest(
  ports: ApprovalPorts & { readonly handlers: ActionHandlers },
  input: ExecuteRequestInput,
  caller: Caller,
): Promise<ExecutedRequest> {
  const row = await ports.database.read((reader) => reader.requests.find(input.requestId));
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no request with that id.');
  const request = requestOf(row, ports.environmentName);
  const handler = ports.handlers[request.op];
  if (handler === undefined) throw new KmcError('E_USAGE', 'This service does not do that act.');
  const actor = await executingActor(ports, request, caller);
  const scene = { row, request, actor, source: input.source };
  const execution = await recorded(ports, scene, 'denied', () => beginExecution(ports, handler, scene));
  const result =
    handler.kind === 'database'
      ? await recorded(ports, scene, 'failure', () => executeInDatabase(execution, handler))
      : await executeOutside(execution, handler);
  return { requestId: row.id, requestDigest: row.digest, result };
}

/** @throws KmcError E_FORBIDDEN: an act is started by a role that proposes or approves such acts, or by the service. */
async function executingActor(ports: ApprovalPorts, request: ApprovalRequest, caller: Caller): Promise<AuditActor> {
  if (caller.type === 'system') return auditActor(caller);
  const person =
    caller.type === 'person' ? await ports.database.read((reader) => reader.people.find(caller.id)) : undefined;
  const rule = ruleOf(request);
  const { region } = request.params;
  const place = typeof region === 'string' ? region : undefined;
  const role = [...proposersOf(rule), ...approversOf(rule)].find(
    (name) => person?.status === 'active' && holdsRoleIn(person, name, place),
  );
  if (role === undefined) throw new KmcError('E_FORBIDDEN', 'Only who may propose or approve the act may start it.');
  return auditActor(caller, role);
}

async function beginExecution(
  ports: ApprovalPorts,
  handler: ActionHandler,
  { row, request, actor, source }: Scene,
): Promise<Execution> {
  const now = ports.clock.now();
  // Before anything slow is done; the transaction looks at it all again.
  const { verified, ripe } = await ports.database.read(async (reader) => {
    const key = verifyDecisions(await reader.approvals.of(row.id));
    return { verified: key, ripe: await requireRipe(reader, ports, handler, row, request, key, now) };
  });
  const { counted } = ripe.evaluation;
  const approvals = auditApprovals(ripe.decisions, counted);
  return {
    ports,
    request,
    digest: row.digest,
    verified,
    act: { request, requestDigest: row.digest, counted, approvals, actor, source, at: now },
    eventIds: { intent: newId('ev', now), result: newId('ev', now) },
  };
}

async function executeInDatabase(execution: Execution, handler: DatabaseHandler): Promise<ExecutionResult> {
  const apply = await handler.prepare(execution.act);
  return execution.ports.database.transaction(async (tx) => {
    const row = await claimExecution(tx, execution, handler);
    const result = await apply(tx);
    await finishExecution(tx, execution, row, { state: 'DONE', result }, execution.act.at);
    return result;
  });
}

/** Runs `work`; what it refuses for a reason of the request goes into the audit log. */
async function recorded<T>(
  ports: ApprovalPorts,
  { row, request, actor, source }: Scene,
  outcome: 'denied' | 'failure',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof KmcError ? error.code : 'E_INTERNAL';
    if (!QUIET_CODES.includes(code)) {
      const now = ports.clock.now();
      const event = { id: newId('ev', now), action: 'request.execute' as const, request, digest: row.digest };
      await ports.database.transaction(async (tx) => {
        await tx.audit.append(
          requestEvent({ ...event, outcome, version: row.version, actor, source, more: { code } }),
          now,
        );
      });
    }
    throw error;
  }
}
