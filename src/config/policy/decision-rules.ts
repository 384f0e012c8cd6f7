/** Rules over quorums and roles (enrolment-and-root-upgrade D.3): a production instance is never weaker than the table. */
import { ACTION_NAMES, actionRule } from '../../domain/action.ts';
import {
  APPROVAL_CLASSES,
  leastApprovals,
  QUORUM_COUNTS,
  STANDARD_QUORUMS,
  type ApprovalClass,
} from '../../domain/quorum.ts';
import { EXCLUDED_PAIRS, orderedPair } from '../../domain/roles.ts';
import { productionRule, rule, unless, type PolicyRule } from './rule.ts';

const COUNT_KEYS = {
  approvals: 'approvals',
  distinctRoles: 'distinct-roles',
  distinctUnits: 'distinct-units',
  distinctOrganisations: 'distinct-organisations',
} as const;

/** Seconds that some act of the class waits at least between quorum and execution. */
function longestWait(name: ApprovalClass): number {
  const acts = ACTION_NAMES.map(actionRule).filter((act) => act.class === name);
  return Math.max(0, ...acts.map((act) => act.leastWaitSeconds ?? 0));
}

export const QUORUM_RULES: readonly PolicyRule[] = [
  productionRule('quorum/below-two', 'quorums.yaml', ({ 'quorums.yaml': { classes } }) =>
    APPROVAL_CLASSES.flatMap((name) =>
      unless(
        classes[name].approvals >= leastApprovals(name),
        ['classes', name, 'approvals'],
        `class ${name} needs at least ${leastApprovals(name)} approvals: one person could act alone`,
      ),
    ),
  ),
  productionRule('quorum/below-standard', 'quorums.yaml', ({ 'quorums.yaml': { classes } }) =>
    APPROVAL_CLASSES.flatMap((name) => {
      const stated = classes[name];
      const standard = STANDARD_QUORUMS[name];
      return [
        ...QUORUM_COUNTS.flatMap((count) =>
          unless(
            stated[count] >= standard[count],
            ['classes', name, COUNT_KEYS[count]],
            `class ${name} asks for at least ${standard[count]} here`,
          ),
        ),
        ...unless(
          stated.beyondOneProvince || !standard.beyondOneProvince,
          ['classes', name, 'beyond-one-province'],
          `approvals from one province alone must not satisfy class ${name}`,
        ),
      ];
    }),
  ),
  rule('quorum/impossible', 'quorums.yaml', ({ 'quorums.yaml': { classes } }) =>
    APPROVAL_CLASSES.flatMap((name) => {
      const stated = classes[name];
      return (['distinctRoles', 'distinctUnits', 'distinctOrganisations'] as const).flatMap((count) =>
        unless(
          stated[count] <= Math.max(stated.approvals, 1),
          ['classes', name, COUNT_KEYS[count]],
          'asks for more distinct ones than there are approvals',
        ),
      );
    }),
  ),
  rule('quorum/expiry', 'quorums.yaml', ({ 'quorums.yaml': { classes } }) =>
    APPROVAL_CLASSES.flatMap((name) => {
      const stated = classes[name];
      const key = stated.expiryKind === 'fixed' ? 'expiry' : 'longest-window';
      return [
        ...unless(
          stated.expiryKind === STANDARD_QUORUMS[name].expiryKind,
          ['classes', name, key],
          `class ${name} states ${STANDARD_QUORUMS[name].expiryKind === 'fixed' ? 'expiry' : 'longest-window'}`,
        ),
        ...unless(
          stated.expirySeconds > Math.max(stated.coolDownSeconds, longestWait(name)),
          ['classes', name, key],
          'a request must outlive its cool-down, and the waiting times of the acts of the class',
        ),
      ];
    }),
  ),
];

export const ROLE_RULES: readonly PolicyRule[] = [
  rule('roles/exclusion-missing', 'roles.yaml', ({ 'roles.yaml': { 'never-together': pairs } }) => {
    const stated = new Set(pairs.map(([a, b]) => orderedPair(a, b).join('+')));
    return EXCLUDED_PAIRS.flatMap((pair) =>
      unless(stated.has(pair.join('+')), ['never-together'], `${pair[0]} and ${pair[1]} must stand here`),
    );
  }),
  rule('roles/exclusion-self', 'roles.yaml', ({ 'roles.yaml': { 'never-together': pairs } }) =>
    pairs.flatMap(([a, b], index) => unless(a !== b, ['never-together', index], 'a pair is of two different roles')),
  ),
];
