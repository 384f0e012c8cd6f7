import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
import { keyIdentifierSha1 } from '../../crypto/spki.ts';
import type { CertificateIssuer } from '../../domain/profile.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import type { ObjectSigner } from '../certificates/sign-checked.ts';
import type { ServiceKeystore } from '../keystore/service-keystore.ts';
import type { AuthorityRow, AuthorityState } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';

/** An authority of this service with its key at hand. */
export interface IssuingAuthority {
  readonly row: AuthorityRow;
  readonly certificate: Certificate;
  readonly signer: ObjectSigner;
  /** What its certificates say of their issuer. */
  readonly issuer: CertificateIssuer;
}

export interface AuthorityPorts {
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
}

/** The row of an authority whose key lies in the service keystore. */
export type SigningAuthorityRow = AuthorityRow & { readonly keyId: string };

/** What an authority may be asked to sign, and the states in which it may. */
const SIGNS_IN = {
  certificates: ['active', 'restricted'],
  // Of a generation that is not in service yet: devices prove by them that they would accept it (A.5).
  canaries: ['staged', 'active', 'restricted'],
  // A revoked authority goes on with its CRLs until its last certificate ends (enrolment-and-root-upgrade C.2).
  lists: ['staged', 'active', 'restricted', 'crl-only', 'retired', 'revoked'],
} as const satisfies Readonly<Record<string, readonly AuthorityState[]>>;
export type SignedByAuthority = keyof typeof SIGNS_IN;

/** Whether the service signs such objects in the name of the authority: it has the key, and the state allows it. */
export function maySign(row: AuthorityRow, what: SignedByAuthority): row is SigningAuthorityRow {
  const states: readonly AuthorityState[] = SIGNS_IN[what];
  return row.keyId !== undefined && states.includes(row.state);
}

/**
 * The facts of an issuer that stand in the certificates under it. A legacy CA may lack a subjectKeyIdentifier: then it is
 * the SHA-1 of its key bits, as RFC 5280 4.2.1.2 (1) makes it.
 */
export function certificateIssuerOf(id: string, certificate: Certificate): CertificateIssuer {
  return {
    id,
    name: certificate.subject.der,
    keyIdentifier: certificate.skid ?? keyIdentifierSha1(certificate.spki),
    signatureAlgorithm: KEY_ALGORITHMS[certificate.keyAlgorithm].defaultSignature,
    notAfter: certificate.notAfter,
  };
}

/**
 * The row of an authority that may sign such objects here.
 * @throws KmcError E_NOT_FOUND; E_STATE when its state does not let it sign this, or its key is elsewhere.
 */
export async function requireSigningAuthority(
  reader: Reader,
  id: string,
  what: SignedByAuthority,
): Promise<SigningAuthorityRow> {
  const row = await reader.authorities.find(id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no certification authority of that id.');
  if (maySign(row, what)) return row;
  throw new KmcError('E_STATE', `The certification authority ${id} signs no ${what} in its present state.`);
}

/**
 * Opens the key of an authority. It reads the database by itself: called outside of any `read` or `transaction`, which
 * would hold the connection that this one waits for.
 * @throws KmcError E_SEALED; E_NOT_FOUND (no such key); E_INTEGRITY when key and certificate do not belong together.
 */
export async function openAuthority(ports: AuthorityPorts, row: SigningAuthorityRow): Promise<IssuingAuthority> {
  const key = await ports.keystore.caKey(row.keyId);
  const certificate = parseCertificate(row.certificate);
  if (!certificate.spki.equals(key.spki)) {
    throw new KmcError('E_INTEGRITY', 'The key of an authority is not the one its certificate names.');
  }
  const issuer = certificateIssuerOf(row.id, certificate);
  return { row, certificate, issuer, signer: { engine: ports.engine, key, algorithm: issuer.signatureAlgorithm } };
}
