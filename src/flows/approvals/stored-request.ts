/** A request with the decisions on it as the database holds them: the signed bytes count, the columns are a cache. */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { readDecisionBody, verifyDecision, type DecisionBody } from '../../domain/approval/decision.ts';
import type { CountedApproval } from '../../domain/approval/evaluation.ts';
import {
  readApprovalRequest,
  regionOf,
  requestDigest,
  ruleOf,
  voicelessOf,
  type ApprovalRequest,
} from '../../domain/approval/request.ts';
import type { RequestState } from '../../domain/approval/state.ts';
import type { AuditActor, AuditApproval, AuditEventInput, AuditSource } from '../../domain/audit/event.ts';
import type { Person } from '../../domain/person.ts';
import { readSignedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { ApprovalRow } from '../ports/approvals.ts';
import type { Reader } from '../ports/database.ts';
import type { RequestRow } from '../ports/requests.ts';

/** What of the instance the approval flows work with. */
export type ApprovalPorts = Pick<
  Instance,
  'database' | 'clock' | 'policies' | 'policyDigest' | 'environment' | 'environmentName'
>;

/**
 * The request that a row holds.
 * @throws KmcError E_INTEGRITY when the bytes are not those of the digest, E_APPROVAL when it is of another instance.
 */
export function requestOf(row: RequestRow, environmentName: string): ApprovalRequest {
  const text = row.canonical.toString('utf8');
  const request = readApprovalRequest(parseStrictJson(text));
  const intact =
    canonicalizeSigned(request) === text &&
    requestDigest(request) === row.digest &&
    request.id === row.id &&
    request.op === row.op &&
    readSignedTime(request.expiresAt)?.getTime() === row.expiresAt.getTime();
  if (!intact)
    throw new KmcError('E_INTEGRITY', 'A stored request is not what its digest says. Seal and examine the database.');
  if (request.environment !== environmentName) {
    throw new KmcError('E_APPROVAL', 'The request was made for another instance. Make it here.');
  }
  return request;
}

/** The decisions on a request that are in force: withdrawn ones are gone. @throws KmcError E_INTEGRITY. */
export function decisionsInForce(rows: readonly ApprovalRow[]): DecisionBody[] {
  return rows.filter((row) => row.withdrawal === undefined).map((row) => bodyOf(row));
}

/** The body that a row holds. @throws KmcError E_INTEGRITY when it is not canonical or of another person. */
export function bodyOf(row: ApprovalRow): DecisionBody {
  const text = row.body.toString('utf8');
  const body = readDecisionBody(parseStrictJson(text));
  if (canonicalizeSigned(body) !== text || body.approver !== row.personId || body.decision !== row.decision) {
    throw new KmcError('E_INTEGRITY', 'A stored decision is not what was signed. Seal and examine the database.');
  }
  return body;
}

/**
 * Verifies every decision in force by its signature. The bytes never change, so this is done outside of a transaction.
 * @returns a key of what was verified: the transaction compares it with what stands there then.
 * @throws KmcError E_SIGNATURE, E_APPROVAL, E_CERT, E_DER, E_POINT.
 */
export function verifyDecisions(rows: readonly ApprovalRow[]): string {
  for (const row of rows.filter((one) => one.withdrawal === undefined)) {
    verifyDecision({
      body: bodyOf(row),
      signature: row.signature.toString('base64'),
      certificate: row.certificate.toString('base64'),
    });
  }
  return decisionsKey(rows);
}

/** Tells whether two readings hold the same decisions in force, octet by octet. */
export function decisionsKey(rows: readonly ApprovalRow[]): string {
  return rows
    .filter((row) => row.withdrawal === undefined)
    .map((row) => [row.body, row.signature, row.certificate].map((part) => part.toString('base64')).join('.'))
    .sort()
    .join('\n');
}

/** The approvers, the proposer where it is a person, and whoever has no voice in the request, as they stand now. */
export async function peopleOf(
  reader: Reader,
  request: ApprovalRequest,
  approvers: readonly string[],
): Promise<Map<string, Person>> {
  const people = new Map<string, Person>();
  for (const id of new Set([request.proposer, voicelessOf(request), ...approvers])) {
    const person = id === undefined || id.includes('/') ? undefined : await reader.people.find(id);
    if (person !== undefined) people.set(person.id, person);
  }
  return people;
}

/**
 * Refuses to work under policy files that are not those in force: another process may have other files.
 * @throws KmcError E_POLICY.
 */
export async function requirePinnedPolicy(reader: Reader, digest: string): Promise<void> {
  if ((await reader.instance.get('policy-digest')) === digest) return;
  throw new KmcError(
    'E_POLICY',
    'This process runs with policy files that are not in force. Put those in force in place and restart.',
  );
}

export interface RequestEvent extends Pick<AuditEventInput, 'id' | 'action' | 'outcome'> {
  readonly request: ApprovalRequest;
  readonly digest: string;
  /** Version of the request after the event. */
  readonly version: number;
  readonly actor: AuditActor;
  readonly source: AuditSource;
  /** The step that the request takes with it, where it takes one. */
  readonly moved?: { readonly from?: RequestState; readonly to: RequestState };
  readonly more?: Partial<Pick<AuditEventInput, 'phase' | 'ref' | 'code' | 'approvals' | 'terms'>>;
  readonly detail?: AuditEventInput['detail'];
}

/** The audit event of what happened to a request. */
export function requestEvent(event: RequestEvent): AuditEventInput {
  const { request } = event;
  const region = regionOf(request);
  const [targetType = '', targetId = ''] = request.target.split('/');
  return {
    id: event.id,
    action: event.action,
    outcome: event.outcome,
    subjects: [{ type: 'request', id: request.id, version: event.version }],
    actor: event.actor,
    source: event.source,
    ...event.more,
    detail: {
      action: request.op,
      approvalClass: ruleOf(request).class,
      digest: event.digest,
      targetType,
      targetId,
      ...(region === undefined ? {} : { region }),
      ...event.moved,
      ...event.detail,
    },
  };
}

/** The approvals that count, for the audit events of the act. */
export function auditApprovals(rows: readonly ApprovalRow[], counted: readonly CountedApproval[]): AuditApproval[] {
  return rows
    .filter((row) => counted.some((one) => one.person === row.personId))
    .map((row) => ({
      id: row.personId,
      role: row.role,
      at: row.decidedAt,
      signature: row.signature.toString('base64'),
    }));
}
