/**
 * Whether enough people are left to decide (enrolment-and-root-upgrade D.3, bootstrapping): after kmc-init and after each
 * change of people there are at least quorum + 1 eligible approvers for every class, in two roles and units.
 */
import { ACTION_NAMES, actionRule, ACTIONS, approversOf } from './action.ts';
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

/** The roles without which some act can never be decided, whatever its class. */
const INDISPENSABLE: readonly RoleName[] = ROLE_NAMES.filter((role) =>
  ACTION_NAMES.some((name) => actionRule(name).requiredRoles.includes(role)),
);

function hasHolder(people: readonly Person[], role: RoleName): boolean {
  return people.some((person) => person.status === 'active' && person.roles.some((grant) => grant.role === role));
}

/** The shortfalls that a change among the people brings, or makes worse; those that stood before it are no fault of it. */
export function newShortfalls(before: readonly Person[], after: readonly Person[], quorums: QuorumRules): Shortfall[] {
  const known = quorumShortfalls(before, quorums).map(({ detail }) => detail);
  return quorumShortfalls(after, quorums).filter(({ detail }) => !known.includes(detail));
}

/** The roles that some act requires among its approvers and that nobody active holds any more after the change. */
export function lostRoles(before: readonly Person[], after: readonly Person[]): RoleName[] {
  return INDISPENSABLE.filter((role) => hasHolder(before, role) && !hasHolder(after, role));
}
