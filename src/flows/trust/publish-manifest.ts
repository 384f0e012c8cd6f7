import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { readManifest, type Manifest, type ManifestBody } from '../../domain/trust/manifest.ts';
import { trustRefusal } from '../../domain/trust/trust-rules.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { TrustBundleRow } from '../ports/trust-bundles.ts';
import { MANIFEST_PUBLISHERS } from './manifest-publishers.ts';
import { readPublished } from './read-published.ts';
import { manifestRow, recordManifest } from './record-manifest.ts';
import { requirePublishable } from './require-publishable.ts';

export interface PublishManifestInput {
  readonly bundle: string;
  /** The manifest file, JSON in UTF-8, with all its signatures. */
  readonly manifest: Buffer;
  readonly requestId?: string;
}

/** What a version says of whom devices trust; times aside. */
function trustOf({ anchors, links, intermediates, distrustedSpki, nextCommit, signers }: ManifestBody): string {
  const sets = signers.map((set) => ({ ...set, keys: set.keys.map(({ cert: _first, ...key }) => key) }));
  const commit = nextCommit === undefined ? {} : { nextCommit };
  return canonicalizeSigned({ anchors, links, intermediates, distrustedSpki, signers: sets, ...commit });
}

/** While a root upgrade runs, its transitions alone change whom devices trust. @throws KmcError E_STATE. */
async function requireNoUpgrade(reader: Reader, latest: Manifest | undefined, { body }: Manifest): Promise<void> {
  if (latest !== undefined && trustOf(latest.body) === trustOf(body)) return;
  const upgrades = await reader.rootUpgrades.underWay();
  const running = upgrades.find(({ bundle }) => bundle === body.bundle);
  if (running === undefined) return;
  throw new KmcError(
    'E_STATE',
    `The root upgrade ${running.id} is under way: stage the manifest there, and its transition publishes it.`,
  );
}

/**
 * Publishes the next version of a trust bundle once every set that must sign has signed it. It is checked as a device
 * would check it, against the version before; from then on it is served for ever.
 * @returns what was published.
 * @throws KmcError E_JSON, E_SCHEMA, E_SIZE; E_TRUST with the rule; E_CERT (an anchor that is not of this service);
 * E_FORBIDDEN (a caller without the role, a signer who is none here); E_STATE (a root upgrade publishes what changes
 * anchors or signers); E_CONFLICT (another version came first).
 */
export async function publishManifest(
  ports: Pick<Instance, 'database' | 'clock' | 'node' | 'policies'>,
  caller: Caller,
  { bundle, manifest: file, requestId }: PublishManifestInput,
): Promise<TrustBundleRow> {
  const { database, clock, node } = ports;
  const at = clock.now();
  const by = {
    actor: auditActor(caller),
    source: { node, ...(requestId === undefined ? {} : { request: requestId }) },
  };
  const attempt = { action: 'manifest.publish', subjects: [{ type: 'manifest', id: bundle }], ...by } as const;
  return await audited(ports, attempt, async () => {
    if (caller.type !== 'person' || !MANIFEST_PUBLISHERS.some((role) => holdsRoleIn(caller, role))) {
      throw new KmcError('E_FORBIDDEN', `Publishing needs one of the roles ${MANIFEST_PUBLISHERS.join(', ')}.`);
    }
    const manifest = readManifest(file);
    if (manifest.body.bundle !== bundle) {
      throw trustRefusal('other-bundle', `The manifest is of the bundle ${manifest.body.bundle}.`);
    }
    await database.snapshot(async (reader) => {
      const published = await readPublished(reader, bundle);
      const purposeOid = ports.policies.publication.bundleSigner;
      await requirePublishable(reader, published, manifest, { purposeOid, at });
      await requireNoUpgrade(reader, published.latest, manifest);
    });
    const row = manifestRow(manifest, { publishedBy: caller.id, at, event: newId('ev', at) });
    await database.transaction(async (tx) => {
      const latest = await tx.trustBundles.latest(bundle);
      await requireNoUpgrade(tx, latest === undefined ? undefined : readManifest(latest.manifest), manifest);
      await recordManifest(tx, row, manifest, by);
    });
    return row;
  });
}
