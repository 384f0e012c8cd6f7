import { COMPLETE, DELTA, type CrlScope } from '../../domain/crl-scope.ts';
import type { PolicySet } from '../../domain/policy.ts';
import type { AuthorityRow } from '../ports/authorities.ts';

/** Those of devices have deltas and shards besides the complete CRL; what people and the service have is few. */
export function hasParts({ kind }: Pick<AuthorityRow, 'kind'>): boolean {
  return kind === 'issuing';
}

/** The CRLs that an authority has under policy, the complete one first. */
export function crlScopes(policies: PolicySet, row: Pick<AuthorityRow, 'kind'>): readonly CrlScope[] {
  if (!hasParts(row)) return [COMPLETE];
  const sharded = Object.values(policies.profiles).some(({ crlShards }) => crlShards);
  return [COMPLETE, DELTA, ...(sharded ? policies.regions.map(({ code }) => code) : [])];
}
