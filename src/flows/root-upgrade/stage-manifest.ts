import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import type { ManifestPurpose } from '../../domain/root-upgrade/facts.ts';
import { manifestFault } from '../../domain/root-upgrade/next-manifest.ts';
import { manifestDigest, manifestText, readManifest, versionOf } from '../../domain/trust/manifest.ts';
import { trustRefusal } from '../../domain/trust/trust-rules.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import type { UpgradeManifestRow } from '../ports/root-upgrades.ts';
import { MANIFEST_PUBLISHERS } from '../trust/manifest-publishers.ts';
import { readPublished } from '../trust/read-published.ts';
import { requirePublishable } from '../trust/require-publishable.ts';
import { requireWanted } from './draft-manifest.ts';
import { manifestParts } from './manifest-parts.ts';
import { planOf } from './plan-of.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

export interface StageManifestInput {
  readonly upgrade: string;
  readonly purpose: ManifestPurpose;
  /** The manifest file, JSON in UTF-8, with all its signatures. */
  readonly manifest: Buffer;
  readonly requestId: string;
}

/**
 * Takes a fully signed manifest into an upgrade: its transition publishes it, and nobody is served it before. It says
 * what the upgrade asks for and nothing else, and a device that is up to date would take it.
 * @throws KmcError E_FORBIDDEN, E_JSON, E_SCHEMA, E_SIZE; E_TRUST (too few signers, another content); E_STATE (no
 * transition out of this state publishes it); E_NOT_FOUND; E_CONFLICT (staged already).
 */
export async function stageManifest(
  ports: UpgradePorts,
  caller: Caller,
  { upgrade, purpose, manifest: file, requestId }: StageManifestInput,
): Promise<UpgradeManifestRow> {
  const at = ports.clock.now();
  const by = { actor: auditActor(caller), source: { node: ports.node, request: requestId } };
  const subjects = [{ type: 'root-upgrade', id: upgrade } as const];
  return await audited(ports, { action: 'upgrade.stage', subjects, ...by }, async () => {
    if (caller.type !== 'person' || !MANIFEST_PUBLISHERS.some((role) => holdsRoleIn(caller, role))) {
      throw new KmcError('E_FORBIDDEN', `Staging needs one of the roles ${MANIFEST_PUBLISHERS.join(', ')}.`);
    }
    const manifest = readManifest(file);
    await ports.database.snapshot(async (reader) => {
      const row = await requireUpgrade(reader, upgrade);
      requireWanted(purpose, row.state, row.kind);
      const plan = planOf(row);
      const published = await readPublished(reader, plan.bundle);
      const purposeOid = ports.policies.publication.bundleSigner;
      await requirePublishable(reader, published, manifest, { purposeOid, at });
      if (published.latest === undefined) throw new KmcError('E_STATE', 'Nothing is published of that bundle yet.');
      const parts = await manifestParts(reader, plan, published.latest.body, at);
      const fault = manifestFault(purpose, parts, manifest.body);
      if (fault !== undefined)
        throw trustRefusal('inconsistent', `Version ${manifest.body.version} is refused: ${fault}`);
    });
    const staged: UpgradeManifestRow = {
      upgrade,
      purpose,
      digest: manifestDigest(manifest.body),
      bundle: manifest.body.bundle,
      version: versionOf(manifest.body),
      manifest: Buffer.from(manifestText(manifest), 'utf8'),
      stagedBy: caller.id,
      stagedAt: at,
      lastAuditEvent: newId('ev', at),
    };
    await ports.database.transaction(async (tx) => {
      const row = await requireUpgrade(tx, upgrade);
      requireWanted(purpose, row.state, row.kind);
      if (!(await tx.rootUpgrades.stage(staged))) throw new KmcError('E_CONFLICT', 'This manifest is staged already.');
      await tx.audit.append(
        {
          id: staged.lastAuditEvent,
          action: 'upgrade.stage',
          outcome: 'success',
          subjects,
          terms: [{ type: 'manifest', id: staged.bundle }],
          ...by,
          detail: { purpose, digest: staged.digest, bundle: staged.bundle, bundleVersion: staged.version },
        },
        at,
      );
    });
    return staged;
  });
}
