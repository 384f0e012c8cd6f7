import type { Caller } from '../../domain/caller.ts';
import { BEFORE_ACTIVE } from '../../domain/root-upgrade/states.ts';
import { newId, requireId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';
import { planOf } from '../root-upgrade/plan-of.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { requireAuthorityCertificate, requireIssuer } from './authority-certificate.ts';
import { authorityEvent, authorityRow, insertAuthority, type AuthorityFacts } from './authority-row.ts';

export interface ImportAuthorityPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly node: string;
}

/** An authority as a closed ceremony bundle brings it; the bundle was verified before. */
export interface ImportedAuthority {
  readonly id: string;
  readonly kind: 'root' | 'issuing';
  readonly generation: string;
  /** DER. */
  readonly certificate: Buffer;
  /** Id of the authority that issued it; absent for a root. */
  readonly issuerId?: string;
  /** Id of the ceremony whose bundle it came in. */
  readonly ceremony: string;
}

/** The issuing CA of a root upgrade waits until its generation issues (A.5, T7). */
async function stateOf(reader: Reader, { id, kind }: ImportedAuthority): Promise<AuthorityRow['state']> {
  if (kind !== 'issuing') return 'active';
  const upgrades = await reader.rootUpgrades.underWay();
  const waits = upgrades.some(({ state, plan }) => BEFORE_ACTIVE.includes(state) && planOf({ plan }).to.issuing === id);
  return waits ? 'staged' : 'active';
}

/**
 * Puts an authority into service whose certificate a ceremony made. An issuing CA must have its key in the service
 * keystore; a root has none here, and signs nothing here.
 * @throws KmcError E_CERT, E_NOT_FOUND (issuer or key missing), E_CONFLICT (it is in the service already).
 */
export async function importAuthority(
  ports: ImportAuthorityPorts,
  caller: Caller,
  input: ImportedAuthority,
): Promise<AuthorityRow> {
  requireId(input.id, 'id of the authority');
  const at = ports.clock.now();
  const certificate = parseCertificate(input.certificate);
  requireAuthorityCertificate(certificate, input, at);
  const event = newId('ev', at);
  return await ports.database.transaction(async (tx) => {
    if (input.issuerId !== undefined) await requireIssuer(tx, certificate, input.issuerId);
    const key = await tx.keystoreRows.caKeyBySpki(spkiSm3(certificate.spki));
    if (input.kind === 'issuing' && key === undefined) {
      throw new KmcError('E_NOT_FOUND', 'The key of this issuing CA is not in the service keystore.');
    }
    const facts: AuthorityFacts = {
      id: input.id,
      kind: input.kind,
      state: await stateOf(tx, input),
      generation: input.generation,
      ...(key === undefined ? {} : { keyId: key.keyId }),
      ...(input.issuerId === undefined ? {} : { issuerId: input.issuerId }),
    };
    const row = authorityRow(facts, certificate, at);
    await insertAuthority(tx, row);
    await tx.audit.append(
      authorityEvent('authority.import', { event, authority: input.id, node: ports.node }, certificate, caller),
      at,
    );
    return row;
  });
}
