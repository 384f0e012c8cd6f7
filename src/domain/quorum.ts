/** The classes of dual control (enrolment-and-root-upgrade D.3): how many approvals, from how different people, how soon. */

export const APPROVAL_CLASSES = ['L1', 'L2', 'L3', 'judicial', 'L4'] as const;
export type ApprovalClass = (typeof APPROVAL_CLASSES)[number];

/** `fixed`: the expiry follows from policy. `stated`: the proposer states the window (a case, a ceremony), policy bounds it. */
export type ExpiryKind = 'fixed' | 'stated';

export interface QuorumRule {
  /** Approvals by distinct persons; the proposer never counts. */
  readonly approvals: number;
  /** Least number of distinct roles, of distinct units and of distinct organisations among those who count. */
  readonly distinctRoles: number;
  readonly distinctUnits: number;
  readonly distinctOrganisations: number;
  /** Approvals from one province alone do not satisfy the class. */
  readonly beyondOneProvince: boolean;
  readonly expiryKind: ExpiryKind;
  /** Seconds: the expiry (`fixed`), or the longest window that may be stated (`stated`). */
  readonly expirySeconds: number;
  /** Seconds between quorum and execution in which any approver can still withdraw; 0 in a development instance. */
  readonly coolDownSeconds: number;
}

export type QuorumRules = Readonly<Record<ApprovalClass, QuorumRule>>;

const HOUR = 3600;
const DAY = 24 * HOUR;

/** The table of D.3 as it ships; policies/quorums.yaml states it again and may only tighten it. */
export const STANDARD_QUORUMS: QuorumRules = {
  L1: rule({ approvals: 1, expirySeconds: 72 * HOUR }),
  L2: rule({ approvals: 2, distinctRoles: 2, expirySeconds: 72 * HOUR }),
  L3: rule({
    approvals: 3,
    distinctRoles: 2,
    distinctUnits: 2,
    beyondOneProvince: true,
    expirySeconds: 7 * DAY,
    coolDownSeconds: HOUR,
  }),
  judicial: rule({ approvals: 2, distinctOrganisations: 2, expiryKind: 'stated', expirySeconds: 90 * DAY }),
  L4: rule({ approvals: 3, expiryKind: 'stated', expirySeconds: 30 * DAY }),
};

function rule(given: Partial<QuorumRule> & Pick<QuorumRule, 'approvals' | 'expirySeconds'>): QuorumRule {
  return {
    distinctRoles: 1,
    distinctUnits: 1,
    distinctOrganisations: 1,
    beyondOneProvince: false,
    expiryKind: 'fixed',
    coolDownSeconds: 0,
    ...given,
  };
}

/** The counts of a rule that policy may raise and never lower below the table of D.3. */
export const QUORUM_COUNTS = ['approvals', 'distinctRoles', 'distinctUnits', 'distinctOrganisations'] as const;

/** Least approvals that a start-up accepts: below, one person could act alone (a development instance only says so). */
export function leastApprovals(approvalClass: ApprovalClass): number {
  return approvalClass === 'L1' ? 1 : 2;
}
