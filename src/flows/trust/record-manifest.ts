import type { AuditEventInput } from '../../domain/audit/event.ts';
import { manifestDigest, manifestText, versionOf, type Manifest } from '../../domain/trust/manifest.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { TrustBundleRow } from '../ports/trust-bundles.ts';

/** The row of a manifest. */
export function manifestRow(
  manifest: Manifest,
  { publishedBy, at, event }: { readonly publishedBy: string; readonly at: Date; readonly event: string },
): TrustBundleRow {
  const { body } = manifest;
  return {
    bundle: body.bundle,
    version: versionOf(body),
    digest: manifestDigest(body),
    manifest: Buffer.from(manifestText(manifest), 'utf8'),
    publishedBy,
    publishedAt: at,
    lastAuditEvent: event,
  };
}

/** The row and its event. @throws KmcError E_CONFLICT when the version stands there already. */
export async function recordManifest(
  tx: Transaction,
  row: TrustBundleRow,
  { body, signatures }: Manifest,
  by: Pick<AuditEventInput, 'actor' | 'source' | 'approvals' | 'terms'>,
): Promise<void> {
  const { bundle, version, digest, lastAuditEvent: id, publishedAt } = row;
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
}
