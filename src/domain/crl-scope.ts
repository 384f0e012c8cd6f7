/** The CRLs of one authority: a complete one, hourly deltas of it, and a shard for each region (C.2). */
import type { PublicationPolicy } from './profile.ts';

export const COMPLETE = 'complete';
export const DELTA = 'delta';

/** `complete`, `delta`, or a region code: the shard. */
export type CrlScope = typeof COMPLETE | typeof DELTA | (string & {});

/** True for the code of a shard. */
export function isShard(scope: CrlScope): boolean {
  return scope !== COMPLETE && scope !== DELTA;
}

/** Where the newest CRL of a scope is found. */
export function crlAddress(publication: Pick<PublicationPolicy, 'crl'>, authorityId: string, scope: CrlScope): string {
  return scope === COMPLETE
    ? `${publication.crl}/${authorityId}.crl`
    : `${publication.crl}/${authorityId}/${scope}.crl`;
}
