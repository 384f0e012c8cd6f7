/** Which certification authority a message of GM/T 0014 comes from. */
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { namesKey, type EntityName } from '../../x509/ca-kmc/entity-name.ts';
import type { AuthorityState } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';

export interface RegisteredAuthority {
  readonly authorityId: string;
  /** Its communication certificate. */
  readonly certificate: Certificate;
  readonly certificateSm3: string;
}

/** Authorities that may still ask for keys. */
const IN_SERVICE: readonly AuthorityState[] = ['active', 'restricted'];

/**
 * The authority that is registered with the key that `entity` names, while its certificate is in force and it is in
 * service; nothing for any other. The name, where it is a directory name, must be that of the certificate.
 */
export async function findRegisteredAuthority(
  reader: Reader,
  entity: EntityName,
  at: Date,
): Promise<RegisteredAuthority | undefined> {
  for (const row of await reader.communicationCertificates.active()) {
    const certificate = parseCertificate(row.certificate);
    if (!namesKey(entity, certificate.spki)) continue;
    const { name } = entity;
    const isNamed = name.type !== 'directoryName' || name.der.equals(certificate.subject.der);
    const isInForce = row.notBefore <= at && at <= row.notAfter;
    const authority = await reader.authorities.find(row.authorityId);
    if (!isNamed || !isInForce || authority === undefined || !IN_SERVICE.includes(authority.state)) return undefined;
    return { authorityId: row.authorityId, certificate, certificateSm3: row.certificateSm3 };
  }
  return undefined;
}
