/**
 * Whether a request has what it needs (enrolment-and-root-upgrade D.3): pure, run when somebody decides and once more
 * inside the transaction that executes. Persons are counted, never accounts; who proposed never counts.
 */
import { KmcError, type ErrorCode } from '../../errors.ts';
import { approversOf, endsByRejection, type ActionRule } from '../action.ts';
import { accountInForce, holdsRoleIn, isSamePerson, type Person } from '../person.ts';
import type { QuorumRule, QuorumRules } from '../quorum.ts';
import { isPartition, type Region } from '../region.ts';
import type { RoleName } from '../roles.ts';
import { readSignedTime } from '../signed-body.ts';
import type { DecisionBody } from './decision.ts';
import { regionOf, requestDigest, ruleOf, voicelessOf, type ApprovalRequest } from './request.ts';

/** What of the policy set in force decides a request. */
export interface QuorumPolicy {
  /** `sm3:<hex>` of the policy set. */
  readonly digest: string;
  readonly quorums: QuorumRules;
  readonly regions: readonly Region[];
}

/** Each reason with the code it is refused with. */
export const REFUSAL_CODES = {
  'request-expired': 'E_TIME',
  'policy-changed': 'E_STALE',
  rejected: 'E_STATE',
  'other-request': 'E_APPROVAL',
  'decided-before-request': 'E_TIME',
  'decided-after-expiry': 'E_TIME',
  'decided-in-future': 'E_TIME',
  'person-unknown': 'E_APPROVAL',
  'person-not-active': 'E_APPROVAL',
  'certificate-not-in-force': 'E_APPROVAL',
  'role-not-held': 'E_FORBIDDEN',
  'role-does-not-approve': 'E_FORBIDDEN',
  proposer: 'E_SAME_PERSON',
  subject: 'E_SAME_PERSON',
  'same-person': 'E_SAME_PERSON',
  'too-few-approvals': 'E_QUORUM',
  'required-role-missing': 'E_QUORUM',
  'too-few-roles': 'E_QUORUM',
  'too-few-units': 'E_QUORUM',
  'too-few-organisations': 'E_QUORUM',
  'one-province': 'E_QUORUM',
} as const satisfies Readonly<Record<string, ErrorCode>>;
export type RefusalReason = keyof typeof REFUSAL_CODES;

export interface Refusal {
  readonly code: ErrorCode;
  readonly reason: RefusalReason;
  /** For people. */
  readonly detail: string;
  /** The person whose decision does not count, where it is about one. */
  readonly person?: string;
}

export interface CountedApproval {
  readonly person: string;
  readonly role: RoleName;
  readonly unit: string;
  readonly organisation: string;
  readonly region?: string;
}

export interface QuorumEvaluation {
  /** `void`: expired or under another policy. `rejected`: ended by a rejection. */
  readonly outcome: 'quorum' | 'open' | 'rejected' | 'void';
  readonly counted: readonly CountedApproval[];
  /** Why the request is not decided, and why each decision that does not count does not. */
  readonly refusals: readonly Refusal[];
}

/** Seconds by which a decision may lie ahead of the service's clock (the window of 4.E, E8). */
const CLOCK_WINDOW_SECONDS = 120;

type People = ReadonlyMap<string, Person>;

function refusal(reason: RefusalReason, detail: string, person?: string): Refusal {
  return { code: REFUSAL_CODES[reason], reason, detail, ...(person === undefined ? {} : { person }) };
}

/**
 * Judges a request by the decisions on it, as things stand at `at`. The signatures of the decisions have been checked
 * (`verifyDecision`); `people` holds the approvers, and the proposer where it is a person, as they stand now.
 * Decisions that do not count leave a refusal each and are otherwise ignored: an approval is void once its approver
 * lost the role or the certificate.
 */
export function evaluateQuorum(
  request: ApprovalRequest,
  decisions: readonly DecisionBody[],
  people: People,
  policy: QuorumPolicy,
  at: Date,
): QuorumEvaluation {
  const rule = ruleOf(request);
  const voids = requestRefusals(request, policy, at);
  const refusals: Refusal[] = [];
  const counted: { readonly approval: CountedApproval; readonly person: Person }[] = [];
  let rejected = false;
  for (const decision of decisions.filter((body) => body.decision !== 'WITHDRAW')) {
    const person = people.get(decision.approver);
    const fault = decisionRefusal(request, decision, person, people, at);
    if (fault !== undefined || person === undefined) {
      if (fault !== undefined) refusals.push(fault);
      continue;
    }
    const twin = counted.find((other) => isSamePerson(other.person, person));
    if (twin !== undefined) {
      refusals.push(refusal('same-person', 'This person has approved already, under another account.', person.id));
    } else if (decision.decision === 'APPROVE') {
      counted.push({ person, approval: countedApproval(decision, person) });
    } else if (endsByRejection(rule, decision.role)) {
      rejected = true;
      refusals.push(refusal('rejected', `The request was rejected by a ${decision.role}.`, person.id));
    }
  }
  const approvals = counted.map((one) => one.approval);
  const missing = quorumRefusals(rule, policy.quorums[rule.class], approvals, policy.regions);
  return {
    outcome: outcomeOf(voids.length > 0, rejected, missing.length > 0),
    counted: approvals,
    refusals: [...voids, ...refusals, ...missing],
  };
}

function outcomeOf(isVoid: boolean, rejected: boolean, incomplete: boolean): QuorumEvaluation['outcome'] {
  if (rejected) return 'rejected';
  if (isVoid) return 'void';
  return incomplete ? 'open' : 'quorum';
}

/**
 * Refuses what `evaluateQuorum` did not find complete.
 * @throws KmcError with the code of the first thing that stands in the way: E_STATE (rejected), E_TIME (expired),
 * E_STALE (other policy), else E_QUORUM; `pointers` lists every refusal.
 */
export function requireQuorum(evaluation: QuorumEvaluation): void {
  if (evaluation.outcome === 'quorum') return;
  const order: readonly ErrorCode[] = ['E_STATE', 'E_TIME', 'E_STALE', 'E_QUORUM'];
  const decisive = evaluation.refusals.filter((one) => one.person === undefined || one.reason === 'rejected');
  const first = order.flatMap((code) => decisive.filter((one) => one.code === code))[0];
  throw new KmcError(first?.code ?? 'E_QUORUM', first?.detail ?? 'The request has not enough approvals.', {
    pointers: evaluation.refusals.map((one) => ({
      pointer: one.person === undefined ? '/request' : `/approvals/${one.person}`,
      detail: `${one.reason}: ${one.detail}`,
    })),
  });
}

function requestRefusals(request: ApprovalRequest, policy: QuorumPolicy, at: Date): Refusal[] {
  const expiresAt = readSignedTime(request.expiresAt);
  return [
    ...(expiresAt === undefined || at >= expiresAt
      ? [refusal('request-expired', 'The request has expired. Make a new one.')]
      : []),
    ...(request.policyDigest === policy.digest
      ? []
      : [refusal('policy-changed', 'The request was made under another policy. Make a new one.')]),
  ];
}

/** Why this decision does not count, or undefined when it does. */
export function decisionRefusal(
  request: ApprovalRequest,
  decision: DecisionBody,
  person: Person | undefined,
  people: People,
  at: Date,
): Refusal | undefined {
  const about = decision.approver;
  if (decision.requestDigest !== requestDigest(request) || decision.requestId !== request.id) {
    return refusal('other-request', 'The decision was signed about another request.', about);
  }
  return timeRefusal(request, decision, at) ?? personRefusal(request, decision, person, people, at);
}

function timeRefusal(request: ApprovalRequest, decision: DecisionBody, at: Date): Refusal | undefined {
  const decidedAt = readSignedTime(decision.decidedAt)?.getTime() ?? Number.NaN;
  const createdAt = readSignedTime(request.createdAt)?.getTime() ?? Number.NaN;
  const expiresAt = readSignedTime(request.expiresAt)?.getTime() ?? Number.NaN;
  const about = decision.approver;
  const window = CLOCK_WINDOW_SECONDS * 1000;
  if (!(decidedAt >= createdAt - window)) {
    return refusal('decided-before-request', 'The decision is older than the request.', about);
  }
  if (!(decidedAt < expiresAt)) return refusal('decided-after-expiry', 'The decision came after the expiry.', about);
  if (decidedAt > at.getTime() + window) {
    return refusal('decided-in-future', 'The decision lies in the future. Set the clock and sign again.', about);
  }
  return undefined;
}

function personRefusal(
  request: ApprovalRequest,
  decision: DecisionBody,
  person: Person | undefined,
  people: People,
  at: Date,
): Refusal | undefined {
  if (person === undefined) return refusal('person-unknown', 'No such person is registered.', decision.approver);
  if (person.status !== 'active') return refusal('person-not-active', 'The person is disabled or has left.', person.id);
  if (accountInForce(person, decision.certSm3, at) === undefined) {
    return refusal('certificate-not-in-force', 'The certificate is not in force for this person.', person.id);
  }
  // Whoever lost the role may still take an own approval back.
  if (decision.decision === 'WITHDRAW') return undefined;
  const proposer = people.get(request.proposer);
  if (person.id === request.proposer || (proposer !== undefined && isSamePerson(person, proposer))) {
    return refusal('proposer', 'Who proposes a request never decides it.', person.id);
  }
  const subjectId = voicelessOf(request);
  const subject = subjectId === undefined ? undefined : people.get(subjectId);
  if (person.id === subjectId || (subject !== undefined && isSamePerson(person, subject))) {
    return refusal('subject', 'Whom the request takes something from does not decide it.', person.id);
  }
  if (!holdsRoleIn(person, decision.role, regionOf(request))) {
    return refusal('role-not-held', `The person is not ${decision.role} here.`, person.id);
  }
  if (!approversOf(ruleOf(request)).includes(decision.role)) {
    return refusal('role-does-not-approve', `A ${decision.role} does not approve this act.`, person.id);
  }
  return undefined;
}

function countedApproval(decision: DecisionBody, person: Person): CountedApproval {
  return {
    person: person.id,
    role: decision.role,
    unit: person.unit,
    organisation: person.organisation,
    ...(person.region === undefined ? {} : { region: person.region }),
  };
}

function quorumRefusals(
  rule: ActionRule,
  quorum: QuorumRule,
  counted: readonly CountedApproval[],
  regions: readonly Region[],
): Refusal[] {
  const missing: Refusal[] = [];
  const need = (have: number, least: number, reason: RefusalReason, what: string): void => {
    if (have < least) missing.push(refusal(reason, `The request has ${have} of ${least} ${what}.`));
  };
  const distinct = (key: 'role' | 'unit' | 'organisation'): number => new Set(counted.map((one) => one[key])).size;
  need(counted.length, quorum.approvals, 'too-few-approvals', 'approvals by distinct persons');
  for (const role of rule.requiredRoles) {
    if (!counted.some((one) => one.role === role)) {
      missing.push(refusal('required-role-missing', `The approval of a ${role} is missing.`));
    }
  }
  need(distinct('role'), rule.distinctRoles ?? quorum.distinctRoles, 'too-few-roles', 'distinct roles');
  need(distinct('unit'), quorum.distinctUnits, 'too-few-units', 'distinct units');
  need(distinct('organisation'), quorum.distinctOrganisations, 'too-few-organisations', 'distinct organisations');
  const places = new Set(counted.map((one) => one.region));
  const [place] = places;
  if (quorum.beyondOneProvince && places.size === 1 && isPartition(regions, place)) {
    missing.push(refusal('one-province', 'All approvals come from one province; one must come from elsewhere.'));
  }
  return missing;
}
