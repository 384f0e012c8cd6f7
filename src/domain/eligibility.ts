/**
 * Whether enough people are left to decide (enrolment-and-root-upgrade D.3, bootstrapping): after kmc-init and after each
 * change of people there are at least quorum + 1 eligible approvers for every class, in two roles and units.
 */
import { ACTION_NAMES, ACTIONS, approversOf } from './action.ts';
import { isSamePerson, type Person } from './person.ts';
import { APPROVAL_CLASSES, type ApprovalClass, type QuorumRules } from './quorum.ts';
import { ROLE_NAMES, ROLES, type RoleName } from './roles.ts';

export interface Shortfall {
  readonly class: ApprovalClass;
  /** For people: what is missing. */
  readonly detail: string;
}

/** The roles that approve anything of the class without a mark; for judicial, those that approve its one act. */
export function classApprovers(approvalClass: ApprovalClass): RoleName[] {
  const byClass = ROLE_NAMES.filter((role) => ROLES[role].approves.classes.includes(approvalClass));
  if (byClass.length > 0) return byClass;
  const acts = ACTION_NAMES.filter((name) => ACTIONS[name].class === approvalClass);
  return ROLE_NAMES.filter((role) => acts.some((name) => approversOf(ACTIONS[name]).includes(role)));
}

/** The active people that may approve in the class, each human being once. */
export function eligibleApprovers(people: readonly Person[], approvalClass: ApprovalClass): Person[] {
  const roles = classApprovers(approvalClass);
  const found: Person[] = [];
  for (const person of people) {
    const eligible = person.status === 'active' && person.roles.some((grant) => roles.includes(grant.role));
    if (eligible && !found.some((other) => isSamePerson(other, person))) found.push(person);
  }
  return found;
}

/** Every class for which these people are too few, or stand in too few roles or units. */
export function quorumShortfalls(people: readonly Person[], quorums: QuorumRules): Shortfall[] {
  return APPROVAL_CLASSES.flatMap((approvalClass) => {
    const roles = classApprovers(approvalClass);
    const approvers = eligibleApprovers(people, approvalClass);
    const least = quorums[approvalClass].approvals + 1;
    const details: string[] = [];
    if (approvers.length < least) details.push(`${approvers.length} of ${least} eligible approvers`);
    const held = new Set(
      approvers.flatMap((person) => person.roles.map((grant) => grant.role).filter((role) => roles.includes(role))),
    );
    if (roles.length > 1 && held.size < 2) details.push(`${held.size} of 2 roles`);
    const units = new Set(approvers.map((person) => person.unit)).size;
    if (units < 2) details.push(`${units} of 2 units`);
    return details.map((detail) => ({ class: approvalClass, detail: `class ${approvalClass} has ${detail}` }));
  });
}
