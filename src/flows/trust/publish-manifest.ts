import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { accountInForce, holdsRoleIn, type Person } from '../../domain/person.ts';
import { applyManifests, retiredAfter, upToDateDevice } from '../../domain/trust/apply-manifest.ts';
import { acceptFirstVersion } from '../../domain/trust/first-manifest.ts';
import {
  manifestDigest,
  manifestText,
  readManifest,
  versionOf,
  type Manifest,
  type SignerKey,
} from '../../domain/trust/manifest.ts';
import { anchorCertificate, isTransportOnly, requireConsistent } from '../../domain/trust/manifest-consistency.ts';
import { trustRefusal } from '../../domain/trust/trust-rules.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import type { Instance } from '../instance.ts';
import type { Database, Reader } from '../ports/database.ts';
import type { TrustBundleRow } from '../ports/trust-bundles.ts';
import { MANIFEST_PUBLISHERS } from './manifest-publishers.ts';

export interface PublishManifestInput {
  readonly bundle: string;
  /** The manifest file, JSON in UTF-8, with all its signatures. */
  readonly manifest: Buffer;
  readonly requestId?: string;
}

type Author = Pick<AuditEventInput, 'actor' | 'source'>;

interface Published {
  readonly latest: Manifest | undefined;
  readonly retiredSets: readonly string[];
}

/** Versions in one read. */
const PAGE = 100;

async function readPublished(reader: Reader, bundle: string): Promise<Published> {
  let latest: Manifest | undefined;
  let retiredSets: readonly string[] = [];
  for (;;) {
    const rows = await reader.trustBundles.from(bundle, latest === undefined ? 1 : versionOf(latest.body) + 1, PAGE);
    if (rows.length === 0) return { latest, retiredSets };
    for (const row of rows) {
      const next = readManifest(row.manifest);
      if (latest !== undefined) retiredSets = retiredAfter(retiredSets, latest.body, next.body);
      latest = next;
    }
  }
}

/** The key is one that its holder signs with: a bundle-signer in force, and for SM2 the key of the holder's account. */
function isOfHolder(key: SignerKey, holder: Person | undefined, at: Date): boolean {
  if (holder?.status !== 'active' || !holdsRoleIn(holder, 'bundle-signer')) return false;
  if (key.alg !== 'SM2-SM3') return true;
  const account = holder.accounts.find(({ kid }) => kid === key.kid);
  return account !== undefined && accountInForce(holder, account.certificateSm3, at) !== undefined;
}

/** Keys that the version before did not list are bundle-signers' here. @throws KmcError E_FORBIDDEN naming the holder. */
async function requireKnownSigners(reader: Reader, { latest }: Published, next: Manifest, at: Date): Promise<void> {
  const known = new Set(latest?.body.signers.flatMap(({ keys }) => keys.map(({ kid }) => kid)));
  for (const key of next.body.signers.flatMap(({ keys }) => keys)) {
    if (known.has(key.kid)) continue;
    if (isOfHolder(key, await reader.people.find(key.holder), at)) continue;
    throw new KmcError('E_FORBIDDEN', `The key of ${key.holder} is not that of a bundle-signer of this instance.`);
  }
}

/** Devices get no anchor that this service does not know. @throws KmcError E_CERT naming the generation. */
async function requireKnownAnchors(reader: Reader, next: Manifest): Promise<void> {
  for (const { gen, state, spkiSm3 } of next.body.anchors) {
    if (state === 'DISTRUSTED') continue;
    const authorities = await reader.authorities.findByKey(spkiSm3);
    if (authorities.some(({ kind }) => kind === 'root' || kind === 'transport')) continue;
    throw new KmcError('E_CERT', `The anchor ${gen} is no root of this service: import its ceremony first.`);
  }
}

/** Version 1 is one that a device in the field accepts, under one of its anchors. @throws KmcError E_TRUST. */
function requireFirst(next: Manifest, purposeOid: string, now: Date): void {
  requireConsistent(next.body);
  const refusals = next.body.anchors
    .filter((each) => !isTransportOnly(each) && each.state !== 'DISTRUSTED')
    .map((each) => {
      try {
        acceptFirstVersion(next, { anchor: anchorCertificate(each), purposeOid, now });
        return undefined;
      } catch (error) {
        return error;
      }
    });
  if (refusals.includes(undefined)) return;
  throw refusals[0] ?? trustRefusal('first-version', 'Version 1 holds no anchor of peers.');
}

function requireAcceptable({ latest, retiredSets }: Published, next: Manifest, purposeOid: string, at: Date): void {
  if (latest !== undefined) {
    applyManifests(upToDateDevice(latest, retiredSets, at), [next], at);
    return;
  }
  if (versionOf(next.body) !== 1) {
    throw trustRefusal('first-version', 'Nothing is published yet: begin with version 1.');
  }
  requireFirst(next, purposeOid, at);
}

/** The row and its event, in one transaction. @throws KmcError E_CONFLICT when the version stands there already. */
async function record(
  database: Database,
  row: TrustBundleRow,
  { body, signatures }: Manifest,
  by: Author,
): Promise<void> {
  const { bundle, version, digest, lastAuditEvent: id, publishedAt } = row;
  await database.transaction(async (tx) => {
    // A version names the digest of the one before it, so that the one it was checked against is the one it follows.
    if (!(await tx.trustBundles.insert(row))) {
      throw new KmcError('E_CONFLICT', `Version ${version} of ${bundle} is published already.`);
    }
    await tx.audit.append(
      {
        id,
        action: 'manifest.publish',
        outcome: 'success',
        subjects: [{ type: 'manifest', id: bundle, version }],
        ...by,
        detail: {
          bundle,
          version,
          digest,
          ...(body.prevDigest === undefined ? {} : { previousDigest: body.prevDigest }),
          emergency: body.emergency,
          expires: body.expiresAt,
          signers: signatures.length,
        },
      },
      publishedAt,
    );
  });
}

function rowOf(manifest: Manifest, publishedBy: string, at: Date): TrustBundleRow {
  const { body } = manifest;
  return {
    bundle: body.bundle,
    version: versionOf(body),
    digest: manifestDigest(body),
    manifest: Buffer.from(manifestText(manifest), 'utf8'),
    publishedBy,
    publishedAt: at,
    lastAuditEvent: newId('ev', at),
  };
}

/**
 * Publishes the next version of a trust bundle once every set that must sign has signed it. It is checked as a device
 * would check it, against the version before; from then on it is served for ever.
 * @returns what was published.
 * @throws KmcError E_JSON, E_SCHEMA, E_SIZE; E_TRUST with the rule; E_CERT (an anchor that is not of this service);
 * E_FORBIDDEN (a caller without the role, a signer who is none here); E_CONFLICT (another version came first).
 */
export async function publishManifest(
  ports: Pick<Instance, 'database' | 'clock' | 'node' | 'policies'>,
  caller: Caller,
  { bundle, manifest: file, requestId }: PublishManifestInput,
): Promise<TrustBundleRow> {
  const { database, clock, node } = ports;
  const at = clock.now();
  const by: Author = {
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
      requireAcceptable(published, manifest, ports.policies.publication.bundleSigner, at);
      await requireKnownSigners(reader, published, manifest, at);
      await requireKnownAnchors(reader, manifest);
    });
    const row = rowOf(manifest, caller.id, at);
    await record(database, row, manifest, by);
    return row;
  });
}
