import type { Caller } from '../../domain/caller.ts';
import { newId, requireId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
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

async function requireIssuer(reader: Reader, certificate: Certificate, issuerId: string): Promise<void> {
  const issuer = await reader.authorities.find(issuerId);
  if (issuer === undefined) throw new KmcError('E_NOT_FOUND', 'Its issuer is not in the service: import that first.');
  const parent = parseCertificate(issuer.certificate);
  const named = certificate.issuer.der.equals(parent.subject.der);
  if (!named || !verifySignedBy(certificate, parent)) {
    throw new KmcError('E_CERT', 'The certificate of the authority was not signed by the issuer that is named.');
  }
}

/** What is in the certificate must fit what is said about it. */
function checkCertificate(certificate: Certificate, input: ImportedAuthority, now: Date): void {
  const isRoot = input.kind === 'root';
  const selfSigned = certificate.issuer.der.equals(certificate.subject.der);
  if (certificate.basicConstraints?.ca !== true) throw new KmcError('E_CERT', 'The certificate is not that of a CA.');
  if (certificate.notAfter <= now) throw new KmcError('E_CERT', 'The certificate of the authority has ended.');
  if (isRoot !== selfSigned || isRoot !== (input.issuerId === undefined)) {
    throw new KmcError('E_CERT', 'A root signs itself and names no issuer; every other authority names its issuer.');
  }
  if (isRoot && !verifySignedBy(certificate, certificate)) {
    throw new KmcError('E_CERT', 'The signature of the root over itself does not verify.');
  }
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
  checkCertificate(certificate, input, at);
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
      state: 'active',
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
