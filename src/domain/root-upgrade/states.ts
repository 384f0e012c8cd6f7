/** The states of a root upgrade (enrolment-and-root-upgrade A.5), in one table. */

export const UPGRADE_KINDS = ['ALG_CHANGE', 'REKEY', 'EMERGENCY'] as const;
/** Another algorithm, another key of the same algorithm, or the standby root because the present one is compromised. */
export type UpgradeKind = (typeof UPGRADE_KINDS)[number];

export interface UpgradeStateRule {
  /** As A.5 numbers it. */
  readonly id: string;
  readonly meaning: string;
  /** The flag SUSPENDED may be set: the upgrade then does not go forward, and may still go back. */
  readonly suspendable: boolean;
  /** No way leads out. */
  readonly terminal: boolean;
}

function state(id: string, meaning: string, options: Partial<UpgradeStateRule> = {}): UpgradeStateRule {
  return { id, meaning, suspendable: false, terminal: false, ...options };
}

const SUSPENDABLE = { suspendable: true } as const;
const TERMINAL = { terminal: true } as const;

export const UPGRADE_STATES = {
  DRAFT: state('S0', 'the plan can be replaced'),
  PLANNED: state('S1', 'the plan is frozen by its digest, and approved'),
  KEYED: state('S2', 'the new root key exists, is backed up and has certified itself'),
  STAGED: state('S3', 'link certificates, issuing CA and the signed next manifest are there; nothing is served'),
  PILOT: state('S4', 'the next manifest is served to the canary ring', SUSPENDABLE),
  ROLLOUT: state('S5', 'it is served in waves; certificates are issued by the old generation', SUSPENDABLE),
  READY: state('S6', 'the gates of the fleet and the hold-down are met', SUSPENDABLE),
  ACTIVE: state('S7', 'the new generation issues; devices enrol again', SUSPENDABLE),
  MIGRATED: state('S8', 'the fleet works with certificates of the new generation', SUSPENDABLE),
  RETIRING: state('S9', 'the old anchor has a date from which it is distrusted', SUSPENDABLE),
  REMOVED: state('S10', 'the old anchor is out, its key on the deny list'),
  CLOSED: state('S11', 'the old root key is destroyed, the records are sealed', TERMINAL),
  ABORTED: state('X1', 'given up before the new generation issued', TERMINAL),
  ROLLED_BACK: state('X2', 'the old generation issues again; READY is reached anew'),
  SUPERSEDED: state('X3', 'replaced by a newer plan', TERMINAL),
} as const satisfies Readonly<Record<string, UpgradeStateRule>>;

export type UpgradeState = keyof typeof UPGRADE_STATES;
export const UPGRADE_STATE_NAMES = Object.keys(UPGRADE_STATES) as readonly UpgradeState[];

/** True while an upgrade can still move: of a bundle there is one such at a time, and a newer one that supersedes it. */
export function isLive(name: UpgradeState): boolean {
  return !UPGRADE_STATES[name].terminal;
}

/** States in which the new generation has not issued to the fleet: its issuing CA waits as `staged`. */
export const BEFORE_ACTIVE: readonly UpgradeState[] = [
  'DRAFT',
  'PLANNED',
  'KEYED',
  'STAGED',
  'PILOT',
  'ROLLOUT',
  'READY',
  'ROLLED_BACK',
];
