import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { actionRule, proposersOf, type ActionName, type ActionRule } from '../../domain/action.ts';
import {
  readApprovalRequest,
  REQUEST_SCHEMA,
  requestDigest,
  type ApprovalRequest,
  type RequestAttachment,
} from '../../domain/approval/request.ts';
import type { RequestState } from '../../domain/approval/state.ts';
import { auditText } from '../../domain/audit/detail.ts';
import type { AuditActor, AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { digestWords } from '../../domain/digest-words.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { signedTime, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { ActionHandler, ActionHandlers, TargetState } from './action-handler.ts';
import { requestEvent, requirePinnedPolicy, type ApprovalPorts } from './stored-request.ts';

export interface CreateRequestInput {
  readonly op: ActionName;
  /** Id of the target; the kind follows from the act. */
  readonly targetId: string;
  /** Everything that the execution needs: nothing in it may be a reference to something that can change. */
  readonly params: SignedObject;
  readonly reason: string;
  readonly attachments?: readonly RequestAttachment[];
  /** End of the case or ceremony, where the class asks for it; otherwise policy says when the request expires. */
  readonly expiresAt?: Date;
  /** Where the service opens a request for an authority (GM/T 0014): its id. */
  readonly forAuthority?: string;
  readonly source: AuditSource;
}

export interface CreatedRequest {
  readonly request: ApprovalRequest;
  /** `sm3:<hex>` */
  readonly digest: string;
  readonly words: readonly string[];
  /** Canonical JSON (JCS), UTF-8: what is shown, hashed and signed. */
  readonly canonical: Buffer;
  readonly state: RequestState;
}

/**
 * Opens a request for an act that needs approvals. State and version of the target are taken as they stand now, and the
 * act will only be done while they still stand.
 * @throws KmcError E_FORBIDDEN (the caller may not propose it), E_SCHEMA, E_JSON (parameters), E_USAGE (an act that
 * signatures decide, or that this service does not do), E_TIME (window missing or too long), E_POLICY, and what the
 * handler of the act refuses.
 */
export async function createRequest(
  ports: ApprovalPorts & { readonly handlers: ActionHandlers },
  input: CreateRequestInput,
  caller: Caller,
): Promise<CreatedRequest> {
  const rule = actionRule(input.op);
  const handler = handlerOf(ports.handlers, input.op, rule);
  const now = ports.clock.now();
  const id = newId('rq', now);
  const eventId = newId('ev', now);
  return ports.database.transaction(async (tx) => {
    await requirePinnedPolicy(tx, ports.policyDigest);
    const actor = await proposingActor(tx, rule, input, caller);
    await handler.check?.(tx, input.targetId, input.params);
    const target = await handler.target(tx, input.targetId, input.params);
    const request = readApprovalRequest({
      ...requestBody(ports, rule, input, target, now),
      id,
      proposer: proposerOf(caller, input.forAuthority),
    });
    const created = {
      request,
      digest: requestDigest(request),
      canonical: Buffer.from(canonicalizeSigned(request), 'utf8'),
    };
    await insertOpen(tx, created, rule, eventId, now);
    await tx.audit.append(
      requestEvent({
        ...created,
        id: eventId,
        action: 'request.create',
        moved: { to: 'OPEN' },
        outcome: 'success',
        version: 1,
        actor,
        source: input.source,
        detail: { note: auditText(input.reason) },
      }),
      now,
    );
    return { ...created, words: digestWords(created.digest), state: 'OPEN' as const };
  });
}

function handlerOf(handlers: ActionHandlers, op: ActionName, rule: ActionRule): ActionHandler {
  if (rule.decidedBy === 'signatures') {
    throw new KmcError(
      'E_USAGE',
      'Bundle-signers decide this act by signing what is published. Collect their signatures.',
    );
  }
  if (rule.decidedBy === 'ceremony') {
    throw new KmcError('E_USAGE', 'Custodians decide this act in its ceremony. Hold it, and import its closed bundle.');
  }
  const handler = handlers[op];
  if (handler === undefined) throw new KmcError('E_USAGE', 'This service does not do that act.');
  return handler;
}

/** @throws KmcError E_FORBIDDEN when the caller may not propose the act. */
async function proposingActor(
  reader: Reader,
  rule: ActionRule,
  input: CreateRequestInput,
  caller: Caller,
): Promise<AuditActor> {
  if (caller.type === 'system') {
    return input.forAuthority === undefined ? auditActor(caller) : { type: 'authority', id: input.forAuthority };
  }
  const person = caller.type === 'person' ? await reader.people.find(caller.id) : undefined;
  const { region } = input.params;
  const place = rule.regional && typeof region === 'string' ? region : undefined;
  const role = proposersOf(rule).find((name) => person !== undefined && holdsRoleIn(person, name, place));
  if (person?.status !== 'active' || role === undefined || input.forAuthority !== undefined) {
    throw new KmcError('E_FORBIDDEN', `Only these roles may ask for it: ${proposersOf(rule).join(', ')}.`);
  }
  return auditActor(caller, role);
}

function proposerOf(caller: Caller, forAuthority: string | undefined): string {
  if (caller.type === 'system') return forAuthority === undefined ? `system/${caller.id}` : `authority/${forAuthority}`;
  return caller.type === 'anonymous' ? 'anonymous' : caller.id;
}

function requestBody(
  ports: ApprovalPorts,
  rule: ActionRule,
  input: CreateRequestInput,
  target: TargetState,
  now: Date,
): Omit<ApprovalRequest, 'id' | 'proposer'> {
  return {
    schema: REQUEST_SCHEMA,
    op: input.op,
    target: `${rule.target}/${input.targetId}`,
    preState: target.state,
    targetVersion: target.version,
    params: input.params,
    attachments: input.attachments ?? [],
    policy: `${rule.class}@${ports.policies.version}`,
    policyDigest: ports.policyDigest,
    reason: input.reason,
    createdAt: signedTime(now),
    expiresAt: signedTime(expiryOf(ports, rule, input.expiresAt, now)),
    environment: ports.environmentName,
  };
}

function expiryOf(ports: ApprovalPorts, rule: ActionRule, stated: Date | undefined, now: Date): Date {
  const { expiryKind, expirySeconds } = ports.policies.quorums[rule.class];
  const latest = new Date(now.getTime() + expirySeconds * 1000);
  if (expiryKind === 'fixed') return latest;
  if (stated === undefined || stated <= now || stated > latest) {
    throw new KmcError(
      'E_TIME',
      `State until when the request stands: at most ${expirySeconds / 86_400} days from now.`,
    );
  }
  return stated;
}

async function insertOpen(
  tx: Transaction,
  created: Pick<CreatedRequest, 'request' | 'digest' | 'canonical'>,
  rule: ActionRule,
  eventId: string,
  now: Date,
): Promise<void> {
  const { request, digest, canonical } = created;
  const inserted = await tx.requests.insert({
    id: request.id,
    digest,
    canonical,
    op: request.op,
    class: rule.class,
    state: 'OPEN',
    version: 1,
    proposer: request.proposer,
    target: request.target,
    preState: request.preState,
    targetVersion: request.targetVersion,
    policyDigest: request.policyDigest,
    createdAt: new Date(request.createdAt),
    expiresAt: new Date(request.expiresAt),
    quorumAt: undefined,
    changedAt: now,
    lastAuditEvent: eventId,
  });
  if (!inserted) throw new KmcError('E_CONFLICT', 'A request with that id stands there already. Ask again.');
}
