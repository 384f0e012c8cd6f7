import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine } from '../../crypto/engine.ts';
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

/** What an authority may be asked to sign, and the states in which it may. */
const SIGNS_IN: Readonly<Record<'certificates' | 'lists', readonly AuthorityState[]>> = {
  certificates: ['active', 'restricted'],
  lists: ['active', 'restricted', 'crl-only', 'retired'],
};

/** The facts of an issuer that stand in the certificates under it. @throws KmcError E_CERT without a subjectKeyIdentifier. */
export function certificateIssuerOf(id: string, certificate: Certificate): CertificateIssuer {
  if (certificate.skid === undefined) {
    throw new KmcError('E_CERT', 'The certificate of the authority has no subjectKeyIdentifier.');
  }
  return {
    id,
    name: certificate.subject.der,
    keyIdentifier: certificate.skid,
    signatureAlgorithm: KEY_ALGORITHMS[certificate.keyAlgorithm].defaultSignature,
    notAfter: certificate.notAfter,
  };
}

/**
 * Loads an authority whose key lies in the service keystore.
 * @throws KmcError E_NOT_FOUND; E_STATE when its state does not let it sign this; E_SEALED; E_INTEGRITY when key and
 * certificate do not belong together.
 */
export async function issuingAuthority(
  ports: { readonly engine: CryptoEngine; readonly keystore: ServiceKeystore },
  reader: Reader,
  id: string,
  what: keyof typeof SIGNS_IN,
): Promise<IssuingAuthority> {
  const row = await reader.authorities.find(id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no certification authority of that id.');
  if (row.keyId === undefined || !SIGNS_IN[what].includes(row.state)) {
    throw new KmcError('E_STATE', `The certification authority ${id} signs no ${what} in its present state.`);
  }
  const key = await ports.keystore.caKey(row.keyId);
  const certificate = parseCertificate(row.certificate);
  if (!certificate.spki.equals(key.spki)) {
    throw new KmcError('E_INTEGRITY', 'The key of an authority is not the one its certificate names.');
  }
  const issuer = certificateIssuerOf(id, certificate);
  return { row, certificate, issuer, signer: { engine: ports.engine, key, algorithm: issuer.signatureAlgorithm } };
}
