/** Every guard of a transition, by its name (A.5). `guard` of a blocker is a name of this table. */
import type { ManifestPurpose, UpgradeFacts } from './facts.ts';
import {
  allWavesOpen,
  fleetMigrated,
  fleetReady,
  freshSnapshot,
  migratedSnapshot,
  noOldLeaf,
  readySnapshot,
  ringCovers,
  ringVerified,
  stragglersSettled,
} from './fleet-guards.ts';
import { attested, DAY_MS, unless, waited, type Found, type Guard } from './guard-kit.ts';

/** The new root is there, of the planned generation and algorithm, and has a name of its own. */
const newRootMade: Guard = ({ plan, hierarchy: { newRoot, oldRoot } }) => {
  if (newRoot === undefined) return [{ text: `The root ${plan.to.root} is not here: hold and import its ceremony.` }];
  return [
    ...unless(
      newRoot.generation === plan.to.generation,
      `The root ${newRoot.id} is of ${newRoot.generation ?? 'none'}.`,
    ),
    ...unless(newRoot.algorithm === plan.to.algorithm, `The root ${newRoot.id} has a ${newRoot.algorithm} key.`),
    ...unless(
      newRoot.subject !== oldRoot?.subject,
      'The new root has the name of the old one: each generation has its own.',
    ),
  ];
};

const standbyMade: Guard = ({ plan: { standby }, hierarchy: { standbyRoot } }) =>
  standby === undefined
    ? []
    : unless(
        standbyRoot !== undefined && standbyRoot.generation === standby.generation,
        `The standby root ${standby.root} of ${standby.generation} is not here: hold and import its ceremony.`,
      );

const linksVerified: Guard = ({ hierarchy: { linkFaults } }) =>
  linkFaults === undefined
    ? [{ text: 'The link certificates were not verified.' }]
    : linkFaults.map((text) => ({ text }));

const oldRootOutlives: Guard = ({ plan, hierarchy: { oldRoot } }) =>
  unless(
    oldRoot !== undefined && oldRoot.notAfter >= plan.ends,
    `The old root ${plan.from.root} is not here, or ends before the plan does.`,
  );

const oldRootRestricted: Guard = ({ plan, hierarchy: { oldRoot } }) =>
  unless(
    oldRoot?.state === 'crl-only' || oldRoot?.state === 'retired',
    `The key of ${plan.from.root} may still sign certificates: restrict it to CRLs in the ceremony of the links.`,
  );

const newIssuingMade: Guard = ({ plan, hierarchy: { newIssuing } }) =>
  unless(
    newIssuing !== undefined && newIssuing.issuer === plan.to.root && newIssuing.state !== 'revoked',
    `The issuing CA ${plan.to.issuing} under ${plan.to.root} is not here: hold and import its ceremony.`,
  );

/** A guard that wants the manifest of a purpose, signed so that a device would take it. */
function manifestStaged(purpose: ManifestPurpose): Guard {
  return ({ bundle }) => {
    const found = bundle.staged.find((each) => each.purpose === purpose);
    if (found === undefined)
      return [{ text: `The manifest to ${purpose} is not staged: draft it and have it signed.` }];
    return found.fault === undefined ? [] : [{ text: `Version ${found.version}, to ${purpose}: ${found.fault}` }];
  };
}

const notDistrustedYet = ({ now, bundle: { distrustAfter } }: UpgradeFacts): Found =>
  unless(
    distrustAfter === undefined || now < distrustAfter,
    `The old anchor is distrusted since ${distrustAfter?.toISOString() ?? ''}: that cannot be taken back.`,
  );

const distrusted: Guard = ({ now, bundle: { distrustAfter } }) =>
  unless(
    distrustAfter !== undefined && now > distrustAfter,
    `The old anchor is trusted until ${distrustAfter?.toISOString() ?? 'a date is set'}.`,
  );

const oldNotCompromised: Guard = ({ bundle: { oldAnchor } }) =>
  unless(
    oldAnchor === 'ACTIVE' || oldAnchor === 'TRUSTED',
    `The old anchor is ${oldAnchor} in the newest manifest: there is no way back to it.`,
  );

const oldIssuingLasts: Guard = ({ now, plan, hierarchy: { oldIssuing } }) => {
  const days = plan.gates['old-issuing-days'];
  const left = oldIssuing === undefined ? 0 : (oldIssuing.notAfter.getTime() - now.getTime()) / DAY_MS;
  return unless(left >= days, `The old issuing CA has ${Math.floor(left)} days left; ${days} are asked for.`);
};

const statusLive: Guard = ({ plan, hierarchy: { status } }) => [
  ...unless(status.crl, `There is no CRL of ${plan.to.issuing}.`),
  ...unless(status.ocsp, `There is no OCSP responder of ${plan.to.issuing}.`),
];

const oldRootDestroyed: Guard = ({ plan, hierarchy: { oldRoot } }) =>
  unless(
    oldRoot?.state === 'retired',
    `The key of ${plan.from.root} is not destroyed: hold and import the ceremony of its destruction.`,
  );

const standbyCommitted: Guard = ({ plan, bundle: { commits }, newRootKey }) =>
  unless(
    commits !== undefined && commits === newRootKey,
    `The newest manifest does not commit to the key of ${plan.to.root}: there is no emergency path to it.`,
  );

const neverIssued: Guard = ({ entered }) =>
  unless(entered.ACTIVE === undefined, 'The new generation has issued: what issued is rolled back, not given up.');

/** Of a bundle one upgrade runs at a time; a newer plan names the one that it replaces. */
const alone: Guard = ({ otherLive, plan }) =>
  unless(
    otherLive === undefined || otherLive === plan.supersedes,
    `The upgrade ${otherLive ?? ''} of this bundle is under way: end it, or name it under supersedes.`,
  );

export const GUARDS = {
  'staging-rehearsal': attested('staging-rehearsal'),
  'ceremony-room': attested('ceremony-room'),
  'hsm-self-test': attested('hsm-self-test'),
  'new-root': newRootMade,
  'standby-root': standbyMade,
  links: linksVerified,
  'old-root-outlives-plan': oldRootOutlives,
  'old-root-restricted': oldRootRestricted,
  'new-issuing-ca': newIssuingMade,
  'independent-verifier': attested('independent-verifier', ({ plan }) => plan.independentVerifiers),
  'manifest-stage': manifestStaged('stage'),
  'ring-covers': ringCovers,
  'ring-verified': ringVerified,
  soak: (facts) => waited(facts.entered.PILOT, 'soak-days', DAY_MS, 'The pilot', facts),
  'no-open-incident': attested('no-open-incident'),
  'rollback-drill': attested('rollback-drill'),
  'hold-down': (facts) => waited(facts.entered.ROLLOUT, 'hold-down-days', DAY_MS, 'The hold-down', facts),
  waves: allWavesOpen,
  fleet: fleetReady,
  evidence: readySnapshot,
  'fresh-evidence': freshSnapshot,
  'status-live': statusLive,
  'capacity-test': attested('capacity-test'),
  migrated: fleetMigrated,
  'migrated-evidence': migratedSnapshot,
  'stragglers-settled': stragglersSettled,
  'manifest-retire': manifestStaged('retire'),
  'not-distrusted-yet': notDistrustedYet,
  'manifest-clear': manifestStaged('clear'),
  distrusted,
  'no-old-leaf': noOldLeaf,
  'manifest-remove': manifestStaged('remove'),
  'remove-hold-down': (facts) =>
    waited(facts.entered.REMOVED, 'remove-hold-down-days', DAY_MS, 'The hold-down of the removal', facts),
  'archive-written': attested('archive-written'),
  'old-root-destroyed': oldRootDestroyed,
  'never-issued': neverIssued,
  alone,
  'old-not-compromised': oldNotCompromised,
  'old-issuing-lasts': oldIssuingLasts,
  'standby-committed': standbyCommitted,
  'manifest-emergency': manifestStaged('emergency'),
} as const satisfies Readonly<Record<string, Guard>>;

export type GuardName = keyof typeof GUARDS;
