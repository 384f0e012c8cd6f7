import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import type { AuthorityKind, AuthorityRow, AuthorityState, InventoryState } from '../ports/authorities.ts';
import type { Transaction } from '../ports/database.ts';

/** What a flow decides about an authority; the rest follows from its certificate. */
export interface AuthorityFacts {
  readonly id: string;
  readonly kind: AuthorityKind;
  readonly state: AuthorityState;
  readonly generation?: string;
  readonly keyId?: string;
  readonly issuerId?: string;
  readonly inventory?: InventoryState;
  readonly crlNumber?: bigint;
}

/** The row of an authority from its certificate. */
export function authorityRow(facts: AuthorityFacts, certificate: Certificate, createdAt: Date): AuthorityRow {
  return {
    id: facts.id,
    kind: facts.kind,
    generation: facts.generation,
    subject: certificate.subject.der,
    algorithm: certificate.keyAlgorithm,
    spkiSm3: spkiSm3(certificate.spki),
    certificate: certificate.der,
    keyId: facts.keyId,
    issuerId: facts.issuerId,
    state: facts.state,
    inventory: facts.inventory ?? 'none',
    crlNumber: facts.crlNumber ?? 0n,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    version: 1,
    createdAt,
  };
}

/** The event of an authority that comes into the service. */
export function authorityEvent(
  action: 'authority.create' | 'authority.import' | 'authority.restrict' | 'authority.retire',
  ids: { readonly event: string; readonly authority: string; readonly node: string },
  certificate: Certificate,
  caller: Caller,
): AuditEventInput {
  return {
    id: ids.event,
    action,
    outcome: 'success',
    subjects: [{ type: 'authority', id: ids.authority, version: 1 }],
    actor: auditActor(caller),
    source: { node: ids.node },
    detail: {
      authority: ids.authority,
      algorithm: certificate.keyAlgorithm,
      certificate: sm3Fingerprint(certificate.der),
      kid: spkiSm3(certificate.spki),
      serial: certificate.serialNumber,
      notBefore: signedTime(certificate.notBefore),
      notAfter: signedTime(certificate.notAfter),
      signatureAlgorithm: certificate.signatureAlgorithm,
    },
  };
}

/** Puts the row in. @throws KmcError E_CONFLICT when the id, or the name with that key, is there already. */
export async function insertAuthority(tx: Transaction, row: AuthorityRow): Promise<void> {
  if (await tx.authorities.insert(row)) return;
  throw new KmcError('E_CONFLICT', 'That certification authority, or its id, is in the service already.');
}
