/** One transition of a root upgrade: guards, state, history, manifest, authorities, fleet and events in one transaction. */
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { blockersOf, requirePossible } from '../../domain/root-upgrade/evaluate.ts';
import type { ManifestPurpose, UpgradeFacts } from '../../domain/root-upgrade/facts.ts';
import { UPGRADE_STATES } from '../../domain/root-upgrade/states.ts';
import { transitionRule, type TransitionName } from '../../domain/root-upgrade/transitions.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import { readManifest } from '../../domain/trust/manifest.ts';
import { KmcError, type Blocker } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { RootUpgradeRow, UpgradeChange, UpgradeStepRow } from '../ports/root-upgrades.ts';
import { manifestRow, recordManifest } from '../trust/record-manifest.ts';
import { requirePublishable } from '../trust/require-publishable.ts';
import { readPublished } from '../trust/read-published.ts';
import { readFacts } from './read-facts.ts';
import { switchIssuer } from './switch-issuer.ts';
import { requireParameters, statedIn } from './transition-params.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

/** The E_STATE of a transition whose guards do not hold. */
export function blocked(name: TransitionName, blockers: readonly Blocker[]): KmcError {
  const guards = [...new Set(blockers.map(({ guard }) => guard))].join(', ');
  return new KmcError('E_STATE', `${name} is blocked by: ${guards}. ${blockers[0]?.text ?? ''}`, {
    blockedBy: blockers,
  });
}

/** A transition that is decided, and who made it. */
export interface DecidedTransition extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals' | 'terms'> {
  readonly upgrade: string;
  /** The version of the upgrade that it was decided for. */
  readonly version: number;
  readonly name: TransitionName;
  readonly params: SignedObject;
  /** Id of the approved request, where one decided it. */
  readonly request: string | undefined;
  /** What `verifyLinks` found, where the transition asks for it. */
  readonly linkFaults?: readonly string[] | undefined;
  readonly at: Date;
  /** Ids of events, the same ones each time the transaction runs. */
  readonly nextId: () => string;
}

interface Change {
  readonly row: RootUpgradeRow;
  readonly to: UpgradeChange;
  readonly step: string;
  readonly stated: SignedObject;
  readonly detail: AuditEventInput['detail'];
}

/** State, history and event of one change of an upgrade. @throws KmcError E_STALE when it changed at the same time. */
async function changeUpgrade(tx: Transaction, by: DecidedTransition, change: Change): Promise<void> {
  const { row, to, step, stated, detail } = change;
  const event = by.nextId();
  const record: UpgradeStepRow = {
    upgrade: row.id,
    version: row.version + 1,
    step,
    fromState: row.state,
    toState: to.state ?? row.state,
    request: by.request,
    actor: by.actor.id,
    stated: canonicalizeSigned(stated),
    at: by.at,
    lastAuditEvent: event,
  };
  if (!(await tx.rootUpgrades.change(row, to, record))) {
    throw new KmcError('E_STALE', 'The root upgrade changed at the same time. Look at it again.');
  }
  await tx.audit.append(
    {
      id: event,
      action: 'upgrade.transition',
      outcome: 'success',
      subjects: [{ type: 'root-upgrade', id: row.id, version: record.version }],
      actor: by.actor,
      source: by.source,
      ...(by.approvals === undefined ? {} : { approvals: by.approvals }),
      ...(by.terms === undefined ? {} : { terms: by.terms }),
      detail: { step, from: record.fromState, to: record.toState, plan: row.planDigest, bundle: row.bundle, ...detail },
    },
    by.at,
  );
}

/** Publishes the staged manifest of a purpose: from now on it is a link of the chain, whoever is served it already. */
async function publishStaged(
  tx: Transaction,
  ports: UpgradePorts,
  row: RootUpgradeRow,
  purpose: ManifestPurpose,
  by: DecidedTransition,
): Promise<void> {
  const staged = (await tx.rootUpgrades.manifests(row.id)).find((each) => each.purpose === purpose);
  if (staged === undefined) throw new KmcError('E_STALE', `The manifest to ${purpose} is not staged any more.`);
  const manifest = readManifest(staged.manifest);
  const purposeOid = ports.policies.publication.bundleSigner;
  await requirePublishable(tx, await readPublished(tx, row.bundle), manifest, { purposeOid, at: by.at });
  const published = { publishedBy: by.actor.id, at: by.at, event: by.nextId() };
  await recordManifest(tx, manifestRow(manifest, published), manifest, {
    actor: by.actor,
    source: by.source,
    terms: [{ type: 'root-upgrade', id: row.id }],
    ...(by.approvals === undefined ? {} : { approvals: by.approvals }),
  });
}

async function changeFleet(
  tx: Transaction,
  { fleet }: UpgradePorts,
  row: RootUpgradeRow,
  facts: UpgradeFacts,
  by: DecidedTransition,
): Promise<void> {
  const effect = transitionRule(by.name).fleet;
  if (effect === undefined) return;
  const asked = { upgrade: row.id, rootSm3: facts.newRootKey ?? '', at: by.at };
  if (effect === 'ring') {
    await fleet.enlistRing(tx, asked, statedIn(by.params).ring ?? []);
    return;
  }
  await fleet.enlistFleet(tx, asked);
  const wave = effect === 'everybody' ? ({ all: true } as const) : facts.plan.waves[0];
  if (wave !== undefined) await fleet.beginWave(tx, asked, wave, 1);
}

/** R4: the newer plan puts an end to the one that it names. */
async function supersede(tx: Transaction, by: DecidedTransition, id: string): Promise<void> {
  const row = await requireUpgrade(tx, id);
  const rule = transitionRule('R4');
  if (!rule.from.includes(row.state)) {
    throw new KmcError('E_STATE', `The upgrade ${id} is ${row.state}: there is nothing to replace.`);
  }
  await changeUpgrade(tx, by, {
    row,
    to: { state: rule.to, suspended: false, supersededBy: by.upgrade },
    step: 'R4',
    stated: { supersededBy: by.upgrade },
    detail: { supersededBy: by.upgrade },
  });
}

/** The waves that are open once the transition is made. */
function wavesOpened(name: TransitionName, row: RootUpgradeRow, facts: UpgradeFacts, at: Date): UpgradeChange {
  const { fleet } = transitionRule(name);
  if (fleet === 'first-wave') return { wavesOpened: 1, lastWaveAt: at };
  if (fleet === 'everybody') return { wavesOpened: facts.plan.waves.length, lastWaveAt: at };
  return { wavesOpened: row.wavesOpened };
}

/**
 * Makes a transition that was decided. Every guard is asked again, in the transaction that makes it.
 * @returns the upgrade as it stands afterwards.
 * @throws KmcError E_NOT_FOUND; E_STALE (the upgrade, or what was signed, is no longer as it was); E_STATE (the table does
 * not have it, or guards block it: `blockedBy`); what publishing the manifest refuses.
 */
export async function makeTransition(
  tx: Transaction,
  ports: UpgradePorts,
  by: DecidedTransition,
): Promise<RootUpgradeRow> {
  const row = await requireUpgrade(tx, by.upgrade);
  if (row.version !== by.version) {
    throw new KmcError('E_STALE', 'The root upgrade is no longer as it was when this was decided. Look at it again.');
  }
  const stated = statedIn(by.params);
  const facts = await readFacts(tx, ports.fleet, row, {
    at: by.at,
    ...(stated.ring === undefined ? {} : { ring: stated.ring }),
    ...(by.linkFaults === undefined ? {} : { linkFaults: by.linkFaults }),
  });
  requirePossible(facts, by.name);
  const blockers = blockersOf(facts, by.name);
  if (blockers.length > 0) throw blocked(by.name, blockers);
  await requireParameters(tx, row, facts, by.name, by.params);
  const rule = transitionRule(by.name);
  if (rule.supersedes === true && facts.plan.supersedes !== undefined) await supersede(tx, by, facts.plan.supersedes);
  const suspended = row.suspended && UPGRADE_STATES[rule.to].suspendable;
  const { snapshot, manifest, ring, reason } = by.params;
  const digests = {
    ...(typeof snapshot === 'string' ? { snapshot } : {}),
    ...(typeof manifest === 'string' ? { digest: manifest } : {}),
  };
  await changeUpgrade(tx, by, {
    row,
    to: { state: rule.to, suspended, ...wavesOpened(by.name, row, facts, by.at) },
    step: by.name,
    stated: by.params,
    detail: {
      ...digests,
      ...(by.request === undefined ? {} : { request: by.request }),
      ...(Array.isArray(ring) ? { devices: ring.length } : {}),
      ...(typeof reason === 'string' ? { note: reason.slice(0, 256) } : {}),
    },
  });
  if (rule.publishes !== undefined) await publishStaged(tx, ports, row, rule.publishes, by);
  if (rule.issuer !== undefined) {
    const { actor, source, approvals, nextId, at } = by;
    await switchIssuer(tx, facts.plan, rule.issuer, {
      actor,
      source,
      nextId,
      at,
      terms: [{ type: 'root-upgrade', id: row.id }],
      ...(approvals === undefined ? {} : { approvals }),
    });
  }
  await changeFleet(tx, ports, row, facts, by);
  return await requireUpgrade(tx, row.id);
}
