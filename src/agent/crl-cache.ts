/** CRLs that a device keeps beside its certificates: fetched from where its certificates point, checked before they count. */
import { join } from 'node:path';
import { decodePem, decodePemAll } from '../crypto/asn1/pem.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { parseCertificateList, type CertificateList } from '../x509/crl.ts';
import { EXTENSIONS, readExtension } from '../x509/extensions.ts';
import type { DistributionPointName } from '../x509/extensions/access.ts';
import { verifySignedBy } from '../x509/path/issuer-signature.ts';
import { readIfPresent, writeAtomically } from './atomic-file.ts';
import type { DeviceFolder } from './device-folder.ts';
import { certificateIn } from './device-keys.ts';
import { setInForce } from './set-in-force.ts';
import type { KmcClient } from './signed-client.ts';

/** What came of one CRL in a round. */
export interface CrlOutcome {
  /** Its file in the folder `crl`. */
  readonly file: string;
  readonly state: 'new' | 'unchanged' | 'absent' | 'refused';
  readonly reason?: string;
}

interface CrlPlace {
  /** Path of its address: the service is asked under the address that the device knows. */
  readonly path: string;
  readonly issuer: Certificate;
}

const FOLDER = 'crl';
const HTTP = 'http:';

function urlsOf(name: DistributionPointName | undefined): URL[] {
  const names = name !== undefined && 'fullName' in name ? name.fullName : [];
  return names.flatMap((one) =>
    one.type === 'uniformResourceIdentifier' && URL.canParse(one.value) ? [new URL(one.value)] : [],
  );
}

function addressesIn(certificate: Certificate): URL[] {
  const points = readExtension(certificate.extensions, EXTENSIONS.crlDistributionPoints) ?? [];
  return points
    .flatMap(({ distributionPoint }) => urlsOf(distributionPoint))
    .filter(({ protocol }) => protocol === HTTP);
}

/** Every CRL that the certificates of the device and those above them point to. */
function placesOf(folder: DeviceFolder): CrlPlace[] {
  const set = setInForce(folder);
  const chain = decodePemAll(set.need('chain').toString('latin1'), 'CERTIFICATE').map((der) => parseCertificate(der));
  const root = parseCertificate(decodePem(folder.root(), 'CERTIFICATE'));
  const leaf = parseCertificate(certificateIn(set, 'signCertificate'));
  const places = new Map<string, CrlPlace>();
  for (const [depth, certificate] of [leaf, ...chain.slice(0, -1)].entries()) {
    const issuer = chain[depth] ?? root;
    for (const { pathname } of addressesIn(certificate)) places.set(pathname, { path: pathname, issuer });
  }
  return [...places.values()];
}

function fileOf(path: string): string {
  return path.replace(/^\/crl\//, '').replaceAll(/[^A-Za-z0-9.-]/g, '-');
}

/** A CRL with a scope stands in the place that its scope names, and in no other (RFC 5280 6.3.3 b). @throws KmcError E_CRL. */
function requireOwnPlace({ issuingDistributionPoint: scope }: CertificateList, path: string): void {
  if (
    scope?.distributionPoint === undefined ||
    urlsOf(scope.distributionPoint).some(({ pathname }) => pathname === path)
  )
    return;
  throw new KmcError('E_CRL', 'the CRL is that of another distribution point');
}

function requireBetter(list: CertificateList, kept: CertificateList | undefined, issuer: Certificate, now: Date): void {
  if (!list.issuer.der.equals(issuer.subject.der) || !verifySignedBy(list, issuer)) {
    throw new KmcError('E_CRL', 'the CRL is not signed by the issuer of the certificates');
  }
  if (list.nextUpdate === undefined || list.nextUpdate <= now) throw new KmcError('E_CRL', 'the CRL is out of date');
  const [from, to] = [kept?.crlNumber ?? 0n, list.crlNumber ?? 0n];
  if (to < from) throw new KmcError('E_CRL', 'the CRL is older than the one that is kept');
}

async function refreshOne(
  client: KmcClient,
  folder: DeviceFolder,
  { path, issuer }: CrlPlace,
  now: Date,
): Promise<CrlOutcome> {
  const file = fileOf(path);
  const place = join(folder.path, FOLDER, file);
  const kept = readIfPresent(place);
  const ifNoneMatch = kept === undefined ? undefined : `"sm3-${sm3(kept).toString('hex')}"`;
  try {
    const options = ifNoneMatch === undefined ? {} : { ifNoneMatch };
    const { status, body } = await client.send('GET', path, undefined, undefined, options);
    if (status === 304) return { file, state: 'unchanged' };
    if (status === 404) return { file, state: 'absent' };
    if (status !== 200) throw new KmcError('E_CRL', `the service answered ${status}`);
    if (kept?.equals(body) === true) return { file, state: 'unchanged' };
    requireOwnPlace(parseCertificateList(body), path);
    requireBetter(parseCertificateList(body), kept === undefined ? undefined : parseCertificateList(kept), issuer, now);
    folder.forgetReloaded();
    writeAtomically(place, body);
    return { file, state: 'new' };
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    return { file, state: 'refused', reason: error.message };
  }
}

/**
 * Fetches the CRLs of the device and keeps those that are signed by their issuer, in date, and not older than what is kept.
 * @param client an unsigned one: CRLs are for everybody.
 * @returns what came of each; one that fails does not keep the others from coming.
 */
export async function refreshCrls(client: KmcClient, folder: DeviceFolder, now: Date): Promise<readonly CrlOutcome[]> {
  const outcomes: CrlOutcome[] = [];
  for (const place of placesOf(folder)) outcomes.push(await refreshOne(client, folder, place, now));
  return outcomes;
}
