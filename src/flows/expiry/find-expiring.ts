import { COMPLETE, DELTA } from '../../domain/crl-scope.ts';
import { EXPIRING_KINDS, type Expiring, type ExpiringKind } from '../../domain/expiry.ts';
import { readSignedTime } from '../../domain/signed-body.ts';
import { readManifest, TRUST_BUNDLE } from '../../domain/trust/manifest.ts';
import type { Instance } from '../instance.ts';
import { crlScopes } from '../certificates/crl-scopes.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';
import type { ExpiringOwner } from '../ports/expirations.ts';

export type FindExpiringPorts = Pick<Instance, 'database' | 'clock' | 'policies'>;

/** Things of one kind that are named at the most. */
const NAMED = 1_000;

async function endingCrls(
  { policies }: FindExpiringPorts,
  reader: Reader,
  kind: 'crl' | 'root-crl',
  window: Window,
): Promise<Expiring[]> {
  const rows = await reader.authorities.list({});
  const isOfKind = (row: AuthorityRow) =>
    (row.kind === 'root') === (kind === 'root-crl') && row.inventory !== 'awaited';
  const found: Expiring[] = [];
  for (const row of rows.filter(isOfKind)) {
    for (const scope of row.keyId === undefined
      ? [COMPLETE]
      : crlScopes(policies, row).filter((each) => each !== DELTA)) {
      const latest = await reader.crls.latestFacts(row.id, scope);
      if (latest === undefined || latest.nextUpdate <= window.after || latest.nextUpdate > window.until) continue;
      found.push({ kind, id: row.id, name: scope, endsAt: latest.nextUpdate });
    }
  }
  return found.sort((a, b) => a.endsAt.getTime() - b.endsAt.getTime());
}

interface Window {
  readonly after: Date;
  readonly until: Date;
}

/** The newest manifest: those before it are kept, and end without harm. */
async function endingManifest(reader: Reader, { after, until }: Window): Promise<Expiring[]> {
  const latest = await reader.trustBundles.latest(TRUST_BUNDLE);
  if (latest === undefined) return [];
  const endsAt = readSignedTime(readManifest(latest.manifest).body.expiresAt);
  if (endsAt === undefined || endsAt <= after || endsAt > until) return [];
  return [{ kind: 'trust-bundle', id: latest.bundle, name: `version-${latest.version}`, endsAt }];
}

async function endingOf(
  ports: FindExpiringPorts,
  reader: Reader,
  kind: ExpiringKind,
  { window, owner }: { readonly window: Window; readonly owner: ExpiringOwner },
): Promise<Expiring[]> {
  if (kind === 'crl' || kind === 'root-crl') return await endingCrls(ports, reader, kind, window);
  if (kind === 'trust-bundle') return await endingManifest(reader, window);
  return await reader.expirations.expiring({ kind, ...window, limit: NAMED, ...owner });
}

/**
 * What ends within the lead time that policy has for its kind, or ended no longer ago than that, and has no successor:
 * certificates of devices, of the service and of people, authorities, CRLs, trust bundles. The first to end come first, by kind.
 * @param kinds only these.
 * @param owner only what belongs to this device or region (device certificates) or this person (person certificates).
 * @throws KmcError E_STORAGE.
 */
export async function findExpiring(
  ports: FindExpiringPorts,
  kinds: readonly ExpiringKind[] = EXPIRING_KINDS,
  owner: ExpiringOwner = {},
): Promise<Expiring[]> {
  const now = ports.clock.now().getTime();
  return await ports.database.read(async (reader) => {
    const found: Expiring[] = [];
    for (const kind of kinds) {
      const lead = ports.policies.reminders[kind] * 1000;
      const window = { after: new Date(now - lead), until: new Date(now + lead) };
      found.push(...(await endingOf(ports, reader, kind, { window, owner })));
    }
    return found;
  });
}
