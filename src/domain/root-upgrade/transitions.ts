/** The transitions of a root upgrade (A.5): one table of where each leads, behind which guards, decided by whom. */
import type { ActionName } from '../action.ts';
import type { CeremonyType } from '../ceremony/ceremony-types.ts';
import type { ManifestPurpose } from './facts.ts';
import type { GuardName } from './guards.ts';
import type { UpgradeKind, UpgradeState } from './states.ts';

/**
 * Who decides: an approved request of that act; the closed and imported ceremonies that the guards look for (their
 * custodians are the approvers); the signatures on a manifest; or the newer plan that replaces this one.
 */
export type DecidedBy = 'request' | 'ceremony' | 'signatures' | 'newer-plan';

/** What the transition does to the issuing CAs: the new one issues, the old one again, the old or the new one no more. */
export type IssuerEffect = 'to-new' | 'to-old' | 'stop-old' | 'drop-new';

export interface TransitionRule {
  readonly from: readonly UpgradeState[];
  readonly to: UpgradeState;
  readonly kinds: readonly UpgradeKind[];
  /** Completes "asks to …". */
  readonly title: string;
  readonly decidedBy: DecidedBy;
  /** The act of the action table, whose class and roles say who approves. */
  readonly act: ActionName;
  readonly guards: readonly GuardName[];
  /** Types of the ceremonies that make its artefacts. */
  readonly ceremonies: readonly CeremonyType[];
  /** The staged manifest that it publishes. */
  readonly publishes?: ManifestPurpose;
  readonly issuer?: IssuerEffect;
  /** What its approvers sign besides the plan's digest. */
  readonly binds?: 'plan' | 'snapshot' | 'manifest';
  /** What it does to the members of the fleet. */
  readonly fleet?: 'ring' | 'first-wave' | 'everybody';
  /** It puts an end to the upgrade that its plan replaces (R4). */
  readonly supersedes?: true;
  /** What has to be stated with it. */
  readonly states?: 'reason' | 'ring';
  /** True when a suspended upgrade may still make it: it does not lead forward. */
  readonly whileSuspended: boolean;
  /** What exists afterwards, for people. */
  readonly artefacts: string;
  /** How it is taken back, for people; `none` where it is not. */
  readonly undo: string;
}

type Options = Partial<Omit<TransitionRule, 'from' | 'to' | 'act' | 'title' | 'guards'>>;

const PLANNED_KINDS: readonly UpgradeKind[] = ['ALG_CHANGE', 'REKEY'];
const EVERY_KIND: readonly UpgradeKind[] = ['ALG_CHANGE', 'REKEY', 'EMERGENCY'];

function from(
  ...states: UpgradeState[]
): (
  to: UpgradeState,
  act: ActionName,
  title: string,
  guards: readonly GuardName[],
  options?: Options,
) => TransitionRule {
  return (to, act, title, guards, options = {}) => ({
    from: states,
    to,
    act,
    title,
    guards,
    kinds: PLANNED_KINDS,
    decidedBy: 'request',
    ceremonies: [],
    whileSuspended: false,
    artefacts: 'none',
    undo: 'none',
    ...options,
  });
}

const FLEET_GUARDS = ['fleet', 'evidence'] as const;

const TRANSITIONS = {
  T1: from('DRAFT')('PLANNED', 'root.plan', 'freeze the plan', ['staging-rehearsal', 'alone'], {
    binds: 'plan',
    supersedes: true,
    artefacts: 'plan with its digest',
    undo: 'a new plan',
  }),
  T2: from('PLANNED')(
    'KEYED',
    'root.key',
    'take over the new root and the standby root',
    ['ceremony-room', 'hsm-self-test', 'new-root', 'standby-root'],
    {
      decidedBy: 'ceremony',
      ceremonies: ['ca-root'],
      artefacts: 'root key with its backup, NewWithNew, standby root',
      undo: 'R1: destroy the key',
    },
  ),
  T3: from('KEYED')(
    'STAGED',
    'root.stage',
    'take over links, issuing CA and the signed manifest',
    [
      'old-root-outlives-plan',
      'new-issuing-ca',
      'links',
      'old-root-restricted',
      'independent-verifier',
      'manifest-stage',
    ],
    {
      decidedBy: 'ceremony',
      ceremonies: ['cross-sign', 'ca-issuing'],
      artefacts: 'NewWithOld, OldWithNew (archived), issuing CA, next manifest',
      undo: 'R1',
    },
  ),
  T4: from('STAGED')(
    'PILOT',
    'root.pilot',
    'serve the next manifest to the canary ring',
    ['manifest-stage', 'ring-covers'],
    {
      binds: 'manifest',
      publishes: 'stage',
      fleet: 'ring',
      states: 'ring',
      artefacts: 'list of the ring',
      undo: 'R1',
    },
  ),
  T5: from('PILOT')(
    'ROLLOUT',
    'root.rollout',
    'make the next manifest public and begin the waves',
    ['ring-verified', 'soak', 'no-open-incident', 'rollback-drill'],
    {
      fleet: 'first-wave',
      artefacts: 'schedule of the waves',
      undo: 'suspend; resume takes two',
    },
  ),
  T6: from('ROLLOUT')('READY', 'root.ready', 'declare the fleet ready', ['waves', 'hold-down', ...FLEET_GUARDS], {
    binds: 'snapshot',
    artefacts: 'snapshot of the evidence',
    undo: 'R1',
  }),
  T7: from('READY')(
    'ACTIVE',
    'root.activate',
    'let the new generation issue',
    ['fresh-evidence', 'status-live', 'capacity-test'],
    {
      binds: 'snapshot',
      issuer: 'to-new',
      artefacts: 'issuer of the new generation; the old one serves waived devices only',
      undo: 'R2',
    },
  ),
  T8: from('ACTIVE')('MIGRATED', 'root.migrated', 'declare the fleet migrated', ['migrated', 'migrated-evidence'], {
    binds: 'snapshot',
    kinds: EVERY_KIND,
    artefacts: 'snapshot of the evidence',
    undo: 'R2',
  }),
  T9: from('MIGRATED')(
    'RETIRING',
    'root.retire',
    'date the end of the old anchor',
    ['stragglers-settled', 'manifest-retire'],
    {
      binds: 'manifest',
      publishes: 'retire',
      artefacts: 'manifest with distrustAfter',
      undo: 'U9, until the date has passed',
    },
  ),
  U9: from('RETIRING')(
    'MIGRATED',
    'root.clear-retirement',
    'clear the date of the old anchor',
    ['not-distrusted-yet', 'manifest-clear'],
    {
      binds: 'manifest',
      publishes: 'clear',
      whileSuspended: true,
      artefacts: 'manifest without distrustAfter',
      undo: 'T9',
    },
  ),
  T10: from('RETIRING')(
    'REMOVED',
    'root.remove',
    'remove the old anchor',
    ['distrusted', 'no-old-leaf', 'manifest-remove'],
    { binds: 'manifest', publishes: 'remove', issuer: 'stop-old', artefacts: 'manifest with the deny list' },
  ),
  T11: from('REMOVED')(
    'CLOSED',
    'root.close',
    'close after the destruction of the old root key',
    ['remove-hold-down', 'archive-written', 'old-root-destroyed'],
    { kinds: EVERY_KIND, decidedBy: 'ceremony', ceremonies: ['destroy'], artefacts: 'record of the destruction' },
  ),
  E1: from('DRAFT')(
    'STAGED',
    'root.declare-emergency',
    'declare an emergency: the old generation issues nothing any more',
    ['standby-committed', 'alone'],
    { binds: 'plan', supersedes: true, kinds: ['EMERGENCY'], issuer: 'stop-old', undo: 'R1' },
  ),
  E2: from('STAGED')(
    'ACTIVE',
    'manifest.publish',
    'publish the emergency manifest: the standby root takes over at once',
    ['new-issuing-ca', 'manifest-emergency'],
    {
      fleet: 'everybody',
      kinds: ['EMERGENCY'],
      decidedBy: 'signatures',
      publishes: 'emergency',
      issuer: 'to-new',
      artefacts: 'emergency manifest, signed by the emergency thresholds',
    },
  ),
  E3: from('MIGRATED')('REMOVED', 'root.remove', 'remove the compromised anchor', ['no-old-leaf', 'manifest-remove'], {
    binds: 'manifest',
    kinds: ['EMERGENCY'],
    publishes: 'remove',
    artefacts: 'manifest with the deny list',
  }),
  R1: from(
    'PLANNED',
    'KEYED',
    'STAGED',
    'PILOT',
    'ROLLOUT',
    'READY',
  )('ABORTED', 'root.abort', 'give the upgrade up', ['never-issued'], {
    kinds: EVERY_KIND,
    states: 'reason',
    whileSuspended: true,
    issuer: 'drop-new',
    artefacts: 'then by ceremony: the new key destroyed, and the next manifest without it',
  }),
  R2: from('ACTIVE', 'MIGRATED')(
    'ROLLED_BACK',
    'root.roll-back',
    'let the old generation issue again',
    ['old-not-compromised', 'old-issuing-lasts'],
    { states: 'reason', whileSuspended: true, issuer: 'to-old', undo: 'R3' },
  ),
  R3: from('ROLLED_BACK')('READY', 'root.ready-again', 'declare the fleet ready again', [...FLEET_GUARDS], {
    binds: 'snapshot',
    states: 'reason',
    artefacts: 'snapshot of the evidence',
    undo: 'R1',
  }),
  R4: from(
    'DRAFT',
    'PLANNED',
    'KEYED',
    'STAGED',
    'PILOT',
    'ROLLOUT',
    'READY',
    'ACTIVE',
    'MIGRATED',
    'RETIRING',
    'ROLLED_BACK',
  )('SUPERSEDED', 'root.plan', 'replace it by a newer plan', [], {
    kinds: EVERY_KIND,
    decidedBy: 'newer-plan',
    whileSuspended: true,
  }),
} as const satisfies Readonly<Record<string, TransitionRule>>;

export type TransitionName = keyof typeof TRANSITIONS;
export const TRANSITION_NAMES = Object.keys(TRANSITIONS) as readonly TransitionName[];

/** True for a name of the table. */
export function isTransitionName(name: string): name is TransitionName {
  return Object.hasOwn(TRANSITIONS, name);
}

/** The rule of a transition. */
export function transitionRule(name: TransitionName): TransitionRule {
  return TRANSITIONS[name];
}
