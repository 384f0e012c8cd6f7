import { canonicalizeSigned } from '../../crypto/jcs.ts';
import {
  readSignedDecision,
  verifyDecision,
  type DecisionBody,
  type SignedDecision,
} from '../../domain/approval/decision.ts';
import { decisionRefusal, evaluateQuorum, type QuorumEvaluation } from '../../domain/approval/evaluation.ts';
import type { ApprovalRequest } from '../../domain/approval/request.ts';
import { DECIDABLE_STATES, requireMove, type RequestState } from '../../domain/approval/state.ts';
import type { AuditAction } from '../../domain/audit/actions.ts';
import type { AuditActor, AuditSource } from '../../domain/audit/event.ts';
import type { Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { isSamePerson, type Person } from '../../domain/person.ts';
import { quorumPolicy } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import type { ApprovalRow } from '../ports/approvals.ts';
import type { Transaction } from '../ports/database.ts';
import type { RequestRow } from '../ports/requests.ts';
import {
  decisionsInForce,
  peopleOf,
  requestEvent,
  requestOf,
  requirePinnedPolicy,
  type ApprovalPorts,
} from './stored-request.ts';

export interface DecideRequestInput {
  readonly requestId: string;
  /** The decision as the approver's own tool made it; checked here from the ground up. */
  readonly decision: unknown;
  readonly source: AuditSource;
}

export interface DecidedRequest {
  readonly requestId: string;
  readonly state: RequestState;
  readonly evaluation: QuorumEvaluation;
}

interface Scene {
  readonly ports: ApprovalPorts;
  readonly row: RequestRow;
  readonly request: ApprovalRequest;
  readonly signed: SignedDecision;
  readonly earlier: readonly ApprovalRow[];
  readonly people: ReadonlyMap<string, Person>;
  readonly now: Date;
}

const ACTION_OF: Readonly<Record<DecisionBody['decision'], AuditAction>> = {
  APPROVE: 'request.approve',
  REJECT: 'request.reject',
  WITHDRAW: 'request.approval-withdraw',
};

/**
 * Takes a signed decision: an approval, a rejection, or the withdrawal of an own approval. Who hands it in need not be
 * who signed it, so decisions may be signed offline. The same decision again changes nothing and is answered alike.
 * @throws KmcError E_NOT_FOUND, E_SCHEMA, E_SIGNATURE, E_APPROVAL (unknown or disabled person, certificate not in force,
 * other request or instance), E_FORBIDDEN (role), E_SAME_PERSON (the proposer, or a second decision of one person),
 * E_TIME (expired, or decided outside the window), E_STALE (other policy), E_STATE (no longer open), E_POLICY.
 */
export async function decideRequest(
  ports: ApprovalPorts,
  input: DecideRequestInput,
  caller: Caller,
): Promise<DecidedRequest> {
  const signed = readSignedDecision(input.decision);
  verifyDecision(signed);
  const now = ports.clock.now();
  const eventIds = { decision: newId('ev', now), move: newId('ev', now) };
  return ports.database.transaction(async (tx) => {
    const row = await tx.requests.lock(input.requestId);
    if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no request with that id.');
    await requirePinnedPolicy(tx, ports.policyDigest);
    const request = requestOf(row, ports.environmentName);
    const earlier = await tx.approvals.of(row.id);
    const people = await peopleOf(tx, request, [signed.body.approver, ...earlier.map((one) => one.personId)]);
    const scene: Scene = { ports, row, request, signed, earlier, people, now };
    if (isRepeat(scene)) return answer(scene, row.state, earlier);
    requireDecidable(scene);
    const record = await recordDecision(tx, scene);
    return settle(tx, scene, record, eventIds, input.source, caller);
  });
}

/** True for a decision that stands there already, octet by octet. */
function isRepeat({ signed, earlier }: Scene): boolean {
  const signature = Buffer.from(signed.signature, 'base64');
  return earlier.some((row) => row.signature.equals(signature) || row.withdrawal?.signature.equals(signature) === true);
}

function requireDecidable({ ports, row, request, signed, people, now }: Scene): void {
  if (signed.body.requestId !== row.id) {
    throw new KmcError('E_APPROVAL', 'The decision was signed about another request. Sign one about this request.');
  }
  if (now >= row.expiresAt) throw new KmcError('E_TIME', 'The request has expired. Make a new one.');
  if (!DECIDABLE_STATES.includes(row.state)) {
    throw new KmcError('E_STATE', `The request is ${row.state}; nobody decides on it any more.`);
  }
  if (request.policyDigest !== ports.policyDigest) {
    throw new KmcError('E_STALE', 'The request was made under another policy. Make a new one.');
  }
  const refusal = decisionRefusal(request, signed.body, people.get(signed.body.approver), people, now);
  if (refusal !== undefined) throw new KmcError(refusal.code, refusal.detail);
}

/** @returns the decisions as they stand after this one. @throws KmcError E_SAME_PERSON, E_STATE. */
async function recordDecision(tx: Transaction, scene: Scene): Promise<ApprovalRow[]> {
  const { row, signed, earlier, people, now } = scene;
  const { body } = signed;
  const bytes = {
    body: Buffer.from(canonicalizeSigned(body), 'utf8'),
    signature: Buffer.from(signed.signature, 'base64'),
    certificate: Buffer.from(signed.certificate, 'base64'),
  };
  if (body.decision === 'WITHDRAW') {
    if (!(await tx.approvals.withdraw(row.id, body.approver, { ...bytes, at: now }))) {
      throw new KmcError('E_STATE', 'This person has no decision on the request that could be withdrawn.');
    }
  } else {
    const person = people.get(body.approver);
    const twin = earlier.find((one) => {
      const other = people.get(one.personId);
      return person !== undefined && other !== undefined && isSamePerson(person, other);
    });
    const decidedAt = new Date(body.decidedAt);
    const decision = {
      requestId: row.id,
      personId: body.approver,
      role: body.role,
      decision: body.decision,
      decidedAt,
    };
    if (twin !== undefined || !(await tx.approvals.insert({ ...decision, ...bytes }))) {
      throw new KmcError('E_SAME_PERSON', 'This person has decided on the request already; another one must.');
    }
  }
  return tx.approvals.of(row.id);
}

async function settle(
  tx: Transaction,
  scene: Scene,
  decisions: readonly ApprovalRow[],
  eventIds: { readonly decision: string; readonly move: string },
  source: AuditSource,
  caller: Caller,
): Promise<DecidedRequest> {
  const { row, request, signed, now } = scene;
  const decided = answer(scene, row.state, decisions);
  const state = nextState(row.state, decided.evaluation);
  const isQuorum = state === 'QUORUM' && row.state !== 'QUORUM';
  const actor: AuditActor = {
    type: 'person',
    id: signed.body.approver,
    role: signed.body.role,
    cert: signed.body.certSm3,
  };
  const event = {
    request,
    digest: row.digest,
    outcome: 'success' as const,
    actor,
    source,
    // Who handed in a decision that somebody else signed.
    ...(caller.type === 'person' && caller.id !== actor.id
      ? { more: { terms: [{ type: 'person', id: caller.id }] } }
      : {}),
    detail: { approvals: decided.evaluation.counted.length },
  };
  if (state !== row.state) {
    requireMove(row.state, state);
    const auditEvent = isQuorum ? eventIds.move : eventIds.decision;
    const from = { state: row.state, version: row.version };
    if (!(await tx.requests.move({ id: row.id, from, to: state, at: now, auditEvent }))) {
      throw new KmcError('E_CONFLICT', 'The request changed at the same time. Read it and try again.');
    }
  }
  const version = state === row.state ? row.version : row.version + 1;
  const action = ACTION_OF[signed.body.decision];
  const moved = state === row.state ? {} : { moved: { from: row.state, to: state } };
  const decision = { ...event, id: eventIds.decision, action, version, ...(isQuorum ? {} : moved) };
  await tx.audit.append(requestEvent(decision), now);
  if (isQuorum) {
    const quorum = { ...event, id: eventIds.move, action: 'request.quorum' as const, version, ...moved };
    await tx.audit.append(requestEvent(quorum), now);
  }
  return { ...decided, state };
}

/** Where the decisions lead. Only an approval that is withdrawn takes a request out of QUORUM again. */
function nextState(state: RequestState, evaluation: QuorumEvaluation): RequestState {
  if (evaluation.outcome === 'rejected') return 'REJECTED';
  return evaluation.outcome === 'quorum' ? 'QUORUM' : state === 'QUORUM' ? 'OPEN' : state;
}

function answer(scene: Scene, state: RequestState, decisions: readonly ApprovalRow[]): DecidedRequest {
  const { ports, row, request, people, now } = scene;
  const policy = quorumPolicy(ports.policies, ports.policyDigest);
  return {
    requestId: row.id,
    state,
    evaluation: evaluateQuorum(request, decisionsInForce(decisions), people, policy, now),
  };
}
