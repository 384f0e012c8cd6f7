/** A root upgrade as the API shows it. */
import { z } from 'zod';
import { parseStrictJson } from '../crypto/jcs.ts';
import { ATTESTATION_KIND_NAMES } from '../domain/root-upgrade/attestation.ts';
import { MANIFEST_PURPOSES } from '../domain/root-upgrade/facts.ts';
import { weakerGates } from '../domain/root-upgrade/gates.ts';
import { UPGRADE_KINDS, UPGRADE_STATE_NAMES, UPGRADE_STATES } from '../domain/root-upgrade/states.ts';
import { TRANSITION_NAMES, transitionRule } from '../domain/root-upgrade/transitions.ts';
import type { RootUpgradeRow } from '../flows/ports/root-upgrades.ts';
import type { ShownUpgrade } from '../flows/root-upgrade/show-upgrade.ts';
import { DIGEST, ID, SIGNED_OBJECT, timeText } from './schemas.ts';

export const TRANSITION = z.enum(TRANSITION_NAMES as [string, ...string[]]);
export const PURPOSE = z.enum(MANIFEST_PURPOSES);
const ATTESTATION_KIND = z.enum(ATTESTATION_KIND_NAMES as [string, ...string[]]);

const BLOCKERS = z.array(
  z.object({
    guard: z.string(),
    text: z.string(),
    devices: z.array(z.string()).optional().describe('ids of the devices that stand in the way, the first of them'),
    numbers: z.record(z.string(), z.string()).optional(),
  }),
);
export const SUMMARY = z.object({
  id: ID,
  kind: z.enum(UPGRADE_KINDS),
  bundle: ID,
  state: z.enum(UPGRADE_STATE_NAMES as [string, ...string[]]),
  suspended: z.boolean(),
  version: z.string(),
  planDigest: DIGEST,
});
export const DETAIL = SUMMARY.extend({
  plan: SIGNED_OBJECT,
  weakerGates: z.array(z.string()),
  waves: z.object({ opened: z.string(), planned: z.string(), blockedBy: BLOCKERS.optional() }),
  forward: TRANSITION.optional(),
  transitions: z.array(z.object({ transition: TRANSITION, title: z.string(), blockedBy: BLOCKERS })),
  history: z.array(z.object({ step: z.string(), from: z.string(), to: z.string(), at: z.string() })),
  attestations: z.array(z.object({ id: ID, kind: ATTESTATION_KIND, passed: z.boolean(), documentSm3: DIGEST })),
  manifests: z.array(z.object({ purpose: PURPOSE, version: z.string(), digest: DIGEST, fault: z.string().optional() })),
});

/** One line of a list. */
export function upgradeSummary(row: RootUpgradeRow): object {
  const { id, kind, bundle, state, suspended, planDigest, supersededBy } = row;
  return {
    id,
    kind,
    bundle,
    state,
    meaning: UPGRADE_STATES[state].meaning,
    suspended,
    version: String(row.version),
    planDigest,
    ...(supersededBy === undefined ? {} : { supersededBy }),
    createdAt: timeText(row.createdAt),
    changedAt: timeText(row.changedAt),
  };
}

/** All of it. */
export function upgradeDetail(shown: ShownUpgrade): object {
  const { row, facts, steps, attestations, manifests, forward, transitions, nextWave } = shown;
  const faults = new Map(facts.bundle.staged.map(({ purpose, fault }) => [purpose, fault]));
  return {
    ...upgradeSummary(row),
    plan: parseStrictJson(row.plan),
    weakerGates: weakerGates(facts.plan.gates, facts.plan.kind),
    waves: {
      opened: String(row.wavesOpened),
      planned: String(facts.plan.waves.length),
      ...(nextWave === undefined ? {} : { blockedBy: nextWave }),
    },
    ...(forward === undefined ? {} : { forward }),
    transitions: transitions.map(({ name, blockedBy }) => ({
      transition: name,
      title: transitionRule(name).title,
      to: transitionRule(name).to,
      decidedBy: transitionRule(name).decidedBy,
      blockedBy,
    })),
    history: steps.map(({ step, fromState, toState, at, actor, request }) => ({
      step,
      from: fromState,
      to: toState,
      at: timeText(at),
      actor,
      ...(request === undefined ? {} : { request }),
    })),
    attestations: attestations.map(({ id, kind, passed, documentSm3, person, attestedAt }) => ({
      id,
      kind,
      passed,
      documentSm3,
      person,
      attestedAt: timeText(attestedAt),
    })),
    manifests: manifests.map(({ purpose, version, digest, stagedAt }) => {
      const fault = faults.get(purpose);
      const stands = { purpose, version: String(version), digest, stagedAt: timeText(stagedAt) };
      return fault === undefined ? stands : { ...stands, fault };
    }),
  };
}
