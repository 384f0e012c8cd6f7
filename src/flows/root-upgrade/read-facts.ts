/** The facts of a root upgrade, as the database has them in one moment. */
import { isObject, readSignedTime } from '../../domain/signed-body.ts';
import { parseStrictJson } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import type { FleetLevel } from '../../domain/fleet/levels.ts';
import type {
  AuthorityFact,
  BundleFacts,
  HierarchyFacts,
  OldLeaf,
  StagedManifestFact,
  UpgradeFacts,
} from '../../domain/root-upgrade/facts.ts';
import { manifestFault } from '../../domain/root-upgrade/next-manifest.ts';
import type { UpgradePlan } from '../../domain/root-upgrade/plan.ts';
import { BEFORE_ACTIVE, type UpgradeState } from '../../domain/root-upgrade/states.ts';
import { TRANSITION_NAMES, transitionRule } from '../../domain/root-upgrade/transitions.ts';
import { wantsManifest } from '../../domain/root-upgrade/ways.ts';
import { applyManifests, upToDateDevice } from '../../domain/trust/apply-manifest.ts';
import { readManifest, versionOf, type ManifestBody } from '../../domain/trust/manifest.ts';

import { maySign } from '../authorities/issuing-authority.ts';
import { findDelegates } from '../certificates/delegate.ts';
import { OCSP_RESPONDER } from '../ocsp/ocsp-responder.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';
import type { RootUpgradeRow, UpgradeManifestRow, UpgradeStepRow } from '../ports/root-upgrades.ts';
import type { UpgradeFleet } from '../ports/upgrade-fleet.ts';
import { readPublished, type PublishedBundle } from '../trust/read-published.ts';
import { manifestParts } from './manifest-parts.ts';
import { planOf } from './plan-of.ts';

export interface AskedFacts {
  readonly at: Date;
  /** The ring that a pilot is asked for with; otherwise the one that it runs with. */
  readonly ring?: readonly string[];
  /** What `verifyLinks` found, where it was asked. */
  readonly linkFaults?: readonly string[];
}

/** Names of old certificates in the answer at most. */
const MOST_LEAVES = 100;
const PAGE = 500;

function authorityFact(row: AuthorityRow | undefined): AuthorityFact | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    generation: row.generation,
    algorithm: row.algorithm,
    subject: row.subject.toString('hex'),
    state: row.state,
    notAfter: row.notAfter,
    issuer: row.issuerId,
  };
}

/** CRLs of a staged authority are made like every other's; it answers OCSP itself, or by its responder. */
async function statusOf(
  reader: Reader,
  issuing: AuthorityRow | undefined,
  at: Date,
): Promise<HierarchyFacts['status']> {
  if (issuing === undefined) return { crl: false, ocsp: false };
  const crl = await reader.crls.latestFacts(issuing.id, 'complete');
  const [responder] = await findDelegates(reader, OCSP_RESPONDER, issuing.id, at);
  const answersItself = maySign(issuing, 'lists') && !maySign(issuing, 'certificates');
  return { crl: crl !== undefined && crl.nextUpdate > at, ocsp: responder !== undefined || answersItself };
}

async function hierarchyFacts(
  reader: Reader,
  { from, to, standby }: UpgradePlan,
  { at, linkFaults }: AskedFacts,
): Promise<HierarchyFacts & { readonly newRootKey: string | undefined }> {
  const find = (id: string): Promise<AuthorityRow | undefined> => reader.authorities.find(id);
  const [newRoot, newIssuing] = [await find(to.root), await find(to.issuing)];
  return {
    oldRoot: authorityFact(await find(from.root)),
    oldIssuing: authorityFact(await find(from.issuing)),
    newRoot: authorityFact(newRoot),
    newIssuing: authorityFact(newIssuing),
    standbyRoot: authorityFact(standby === undefined ? undefined : await find(standby.root)),
    linkFaults,
    status: await statusOf(reader, newIssuing, at),
    newRootKey: newRoot?.spkiSm3,
  };
}

/** What a device that is up to date would say of a staged manifest, and what the upgrade itself has against it. */
async function stagedFault(
  reader: Reader,
  plan: UpgradePlan,
  { latest, retiredSets }: PublishedBundle,
  { purpose, manifest: file }: UpgradeManifestRow,
  at: Date,
): Promise<string | undefined> {
  if (latest === undefined) return 'nothing is published yet: begin with version 1.';
  const manifest = readManifest(file);
  try {
    const parts = await manifestParts(reader, plan, latest.body, at);
    const fault = manifestFault(purpose, parts, manifest.body);
    if (fault === undefined) applyManifests(upToDateDevice(latest, retiredSets, at), [manifest], at);
    return fault;
  } catch (error) {
    if (error instanceof KmcError) return error.message;
    throw error;
  }
}

function anchorState(body: ManifestBody | undefined, gen: string): string {
  return body?.anchors.find((anchor) => anchor.gen === gen)?.state ?? 'absent';
}

async function bundleFacts(reader: Reader, row: RootUpgradeRow, plan: UpgradePlan, at: Date): Promise<BundleFacts> {
  const published = await readPublished(reader, plan.bundle);
  const body = published.latest?.body;
  const date = body?.anchors.find(({ gen }) => gen === plan.from.generation)?.distrustAfter;
  const staged: StagedManifestFact[] = [];
  for (const manifest of await reader.rootUpgrades.manifests(row.id)) {
    const { purpose, version } = manifest;
    if (!wantsManifest(purpose, row.state, row.kind)) continue;
    staged.push({ purpose, version, fault: await stagedFault(reader, plan, published, manifest, at) });
  }
  return {
    latestVersion: body === undefined ? undefined : versionOf(body),
    oldAnchor: anchorState(body, plan.from.generation),
    newAnchor: anchorState(body, plan.to.generation),
    distrustAfter: date === undefined ? undefined : readSignedTime(date),
    commits: body?.nextCommit?.spkiSm3,
    staged,
  };
}

/** Certificates of the old generation that are neither ended nor revoked nor waived; looked for where a guard asks. */
async function oldLeaves(
  reader: Reader,
  fleet: UpgradeFleet,
  row: RootUpgradeRow,
  plan: UpgradePlan,
  at: Date,
): Promise<UpgradeFacts['oldLeaves']> {
  const asks = TRANSITION_NAMES.some((name) => {
    const { from, guards, kinds } = transitionRule(name);
    return guards.includes('no-old-leaf') && from.includes(row.state) && kinds.includes(row.kind);
  });
  if (!asks) return { total: 0, listed: [] };
  const waived = await fleet.waived(reader, row.id, at);
  const listed: OldLeaf[] = [];
  let after: string | undefined;
  let total = 0;
  for (;;) {
    const page = { limit: PAGE, ...(after === undefined ? {} : { after }) };
    const rows = await reader.certificates.list({ authorityId: plan.from.issuing, status: 'good' }, page);
    for (const { deviceId, serialNumber, notAfter, profile } of rows) {
      if (profile === OCSP_RESPONDER.profile || notAfter <= at || (deviceId !== undefined && waived.has(deviceId)))
        continue;
      total += 1;
      if (listed.length < MOST_LEAVES) listed.push({ device: deviceId ?? `serial ${serialNumber}`, notAfter });
    }
    // A gate that is that far from open need not be counted to the end.
    if (rows.length < PAGE || total > 10 * PAGE) return { total, listed };
    after = rows.at(-1)?.id;
  }
}

function enteredAt(steps: readonly UpgradeStepRow[]): UpgradeFacts['entered'] {
  return Object.fromEntries(
    steps.filter(({ fromState, toState }) => fromState !== toState).map(({ toState, at }) => [toState, at]),
  );
}

/** The devices of the ring, as the step that began the pilot states them. */
function ringOf(steps: readonly Pick<UpgradeStepRow, 'toState' | 'fromState' | 'stated'>[]): string[] | undefined {
  const begun = steps.findLast(({ fromState, toState }) => fromState === 'STAGED' && toState === 'PILOT');
  const stated: unknown = begun === undefined ? undefined : parseStrictJson(begun.stated);
  const ring = isObject(stated) ? stated['ring'] : undefined;
  return Array.isArray(ring) ? ring.filter((id): id is string => typeof id === 'string') : undefined;
}

/** The level that the next step asks for. */
function goalOf(state: UpgradeState): FleetLevel {
  return BEFORE_ACTIVE.includes(state) ? 'VERIFIED' : 'MIGRATED';
}

/** Reads all that the guards look at. Certificates of links are looked at by `verifyLinks`, outside. */
export async function readFacts(
  reader: Reader,
  fleet: UpgradeFleet,
  row: RootUpgradeRow,
  asked: AskedFacts,
): Promise<UpgradeFacts> {
  const { at } = asked;
  const plan = planOf(row);
  const steps = await reader.rootUpgrades.steps(row.id);
  const { newRootKey, ...hierarchy } = await hierarchyFacts(reader, plan, asked);
  const others = await reader.rootUpgrades.underWay();
  const ring = asked.ring ?? ringOf(steps);
  const figures = { upgrade: row.id, rootSm3: newRootKey ?? '', at };
  return {
    now: at,
    plan,
    state: row.state,
    suspended: row.suspended,
    entered: enteredAt(steps),
    attested: (await reader.rootUpgrades.attestations(row.id)).map((fact) => ({
      kind: fact.kind,
      passed: fact.passed,
      documentSm3: fact.documentSm3,
      at: fact.attestedAt,
      by: fact.person,
    })),
    hierarchy,
    newRootKey,
    bundle: await bundleFacts(reader, row, plan, at),
    ring: ring === undefined ? undefined : await fleet.ring(reader, ring),
    fleet: newRootKey === undefined ? undefined : await fleet.readiness(reader, figures, goalOf(row.state)),
    snapshot: await fleet.snapshot(reader, row.id),
    waves: { opened: row.wavesOpened, lastAt: row.lastWaveAt },
    oldLeaves: await oldLeaves(reader, fleet, row, plan, at),
    otherLive: others.find(({ bundle, id }) => bundle === row.bundle && id !== row.id)?.id,
  };
}
