import { retiredAfter } from '../../domain/trust/apply-manifest.ts';
import { readManifest, versionOf, type Manifest } from '../../domain/trust/manifest.ts';
import type { Reader } from '../ports/database.ts';

/** What is published of a bundle. */
export interface PublishedBundle {
  /** The newest version; absent before the first. */
  readonly latest: Manifest | undefined;
  /** Signer sets that were given up. */
  readonly retiredSets: readonly string[];
}

/** Versions in one read. */
const PAGE = 100;

/** Walks through every version of a bundle. */
export async function readPublished(reader: Reader, bundle: string): Promise<PublishedBundle> {
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
