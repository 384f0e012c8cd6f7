import { isRehearsed } from '../../domain/ceremony/rehearsal.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { verifySignedBy } from '../../x509/path/issuer-signature.ts';
import type { Reader } from '../ports/database.ts';

/** What is said of an authority that is brought in with its certificate. */
export interface StatedAuthority {
  readonly kind: 'root' | 'issuing';
  /** Id of the authority that issued it; absent for a root. */
  readonly issuerId?: string;
}

/**
 * Checks that the certificate of an authority is what is said of it: a CA that has not ended, and self-signed exactly when
 * it is a root.
 * @throws KmcError E_CERT.
 */
export function requireAuthorityCertificate(certificate: Certificate, stated: StatedAuthority, now: Date): void {
  const isRoot = stated.kind === 'root';
  const selfSigned = certificate.issuer.der.equals(certificate.subject.der);
  if (isRehearsed(certificate.subject) || isRehearsed(certificate.issuer)) {
    throw new KmcError('E_CERT', 'The certificate comes from a rehearsal: it is never put into service.');
  }
  if (certificate.basicConstraints?.ca !== true) throw new KmcError('E_CERT', 'The certificate is not that of a CA.');
  if (certificate.notAfter <= now) throw new KmcError('E_CERT', 'The certificate of the authority has ended.');
  if (isRoot !== selfSigned || isRoot !== (stated.issuerId === undefined)) {
    throw new KmcError('E_CERT', 'A root signs itself and names no issuer; every other authority names its issuer.');
  }
  if (isRoot && !verifySignedBy(certificate, certificate)) {
    throw new KmcError('E_CERT', 'The signature of the root over itself does not verify.');
  }
}

/** Checks that an authority of this service issued the certificate. @throws KmcError E_NOT_FOUND, E_CERT. */
export async function requireIssuer(reader: Reader, certificate: Certificate, issuerId: string): Promise<void> {
  const issuer = await reader.authorities.find(issuerId);
  if (issuer === undefined) throw new KmcError('E_NOT_FOUND', 'Its issuer is not in the service: import that first.');
  const parent = parseCertificate(issuer.certificate);
  const named = certificate.issuer.der.equals(parent.subject.der);
  if (named && verifySignedBy(certificate, parent)) return;
  throw new KmcError('E_CERT', 'The certificate of the authority was not signed by the issuer that is named.');
}
