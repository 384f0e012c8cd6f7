import { spkiSm3 } from '../../crypto/spki.ts';
import { certificateProfile } from '../../domain/policy.ts';
import { hierarchyOf } from '../../domain/profile.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import { findDeviceAuthority } from './device-authority.ts';

/** The profile of link certificates, in policies/profiles.yaml. */
const LINK_PROFILE = 'link';

/**
 * What leads from an older root to this one: its certificate by the older root (NewWithOld), and the older root itself
 * (OldWithOld) as long as it is trusted. The older root by this one (OldWithNew) is archived and not published.
 */
async function linksTo(reader: Reader, root: Buffer, now: Date): Promise<Buffer[]> {
  const rows = await reader.certificates.findByKey(spkiSm3(parseCertificate(root).spki));
  const links: Buffer[] = [];
  for (const { profile, status, notBefore, notAfter, authorityId, certificate } of rows) {
    if (profile !== LINK_PROFILE || status !== 'good' || certificate === undefined) continue;
    const older = await reader.authorities.find(authorityId);
    const isTrusted = older !== undefined && older.state !== 'retired' && older.state !== 'revoked';
    if (isTrusted && notBefore <= now && now <= notAfter) links.push(certificate, older.certificate);
  }
  return links;
}

/**
 * The CA certificates (DER) of those who enrol under a profile (RFC 7030 4.1.3): the issuing CA, its root, and the link
 * certificates from an older root with that root.
 * @throws KmcError E_POLICY (no such profile), E_STATE (no authority in service), E_INTEGRITY.
 */
export async function publishedCaCertificates(
  ports: Pick<Instance, 'database' | 'clock' | 'engine' | 'keystore' | 'policies'>,
  profile: string,
): Promise<readonly Buffer[]> {
  const hierarchy = hierarchyOf(certificateProfile(ports.policies, profile));
  const { chain } = await findDeviceAuthority(ports, hierarchy);
  const root = chain.at(-1);
  if (root === undefined) return chain;
  const now = ports.clock.now();
  return [...chain, ...(await ports.database.read((reader) => linksTo(reader, root, now)))];
}
