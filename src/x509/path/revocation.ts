/** Revocation status by CRLs that the caller holds (RFC 5280 6.3.3), without delta and indirect CRLs. */
import { OID, oidName } from '../../crypto/asn1/oids.ts';
import type { Certificate } from '../certificate.ts';
import type { CertificateList, ReadRevokedCertificate } from '../crl.ts';
import { EXTENSIONS, findExtension, readExtension } from '../extensions.ts';
import type { IssuingDistributionPoint } from '../extensions/crl.ts';
import type { DistributionPointName } from '../extensions/access.ts';
import { verifySignedBy } from './issuer-signature.ts';
import { pathReason } from './path-reason.ts';
import type { PathReason, PathRule } from './path-reason.ts';

interface CrlIndex {
  readonly bySerialNumber: ReadonlyMap<string, ReadRevokedCertificate>;
  /** OID of a critical entry extension that is not understood. */
  readonly unknownCritical: string | undefined;
  readonly namesOtherIssuers: boolean;
}

interface JudgedCrl {
  readonly crl: CertificateList;
  readonly authentic: boolean;
  readonly problems: readonly PathReason[];
}

/** A CRL of a large CA is used for many certificates: its entries are gone through once. */
const INDEXES = new WeakMap<CertificateList, CrlIndex>();

/** CRL extensions whose meaning is taken into account, so that they may be critical. */
const PROCESSED: ReadonlySet<string> = new Set([OID.authorityKeyIdentifier, OID.issuingDistributionPoint]);

function indexOf(crl: CertificateList): CrlIndex {
  const known = INDEXES.get(crl);
  if (known !== undefined) return known;
  const index: CrlIndex = {
    bySerialNumber: new Map(crl.entries.map((entry) => [entry.serialNumber, entry])),
    unknownCritical: crl.entries.find((entry) => entry.unknownCritical !== undefined)?.unknownCritical,
    namesOtherIssuers: crl.entries.some((entry) => entry.ofOtherIssuer === true),
  };
  INDEXES.set(crl, index);
  return index;
}

function uris(name: DistributionPointName | undefined): string[] {
  if (name === undefined || !('fullName' in name)) return [];
  return name.fullName.flatMap((one) => (one.type === 'uniformResourceIdentifier' ? [one.value] : []));
}

function isInScope(certificate: Certificate, scope: IssuingDistributionPoint): boolean {
  const isCa = certificate.basicConstraints?.ca === true;
  const { distributionPoint, onlySomeReasons, indirectCRL, onlyContainsAttributeCerts } = scope;
  if (indirectCRL || onlyContainsAttributeCerts || onlySomeReasons !== undefined) return false;
  if (isCa ? scope.onlyContainsUserCerts : scope.onlyContainsCACerts) return false;
  if (distributionPoint === undefined) return true;
  const points = readExtension(certificate.extensions, EXTENSIONS.crlDistributionPoints) ?? [];
  const own = new Set(points.flatMap((point) => uris(point.distributionPoint)));
  return uris(distributionPoint).some((uri) => own.has(uri));
}

function freshness(crl: CertificateList, at: Date): [PathRule, string][] {
  if (at < crl.thisUpdate) return [['crl-not-yet-valid', 'its CRL is from the future']];
  if (crl.nextUpdate === undefined) return [['crl-stale', 'its CRL has no nextUpdate']];
  return at > crl.nextUpdate ? [['crl-stale', `its CRL was to be replaced by ${crl.nextUpdate.toISOString()}`]] : [];
}

function crlNumberFaults(crl: CertificateList): [PathRule, string][] {
  const extension = findExtension(crl.extensions, OID.crlNumber);
  if (extension === undefined) return [['crl-number', 'its CRL has no cRLNumber']];
  return extension.critical ? [['crl-number', 'its CRL marks cRLNumber critical']] : [];
}

function criticalFaults(crl: CertificateList): [PathRule, string][] {
  const unknown =
    crl.extensions.find(({ oid, critical }) => critical && oid !== OID.crlNumber && !PROCESSED.has(oid))?.oid ??
    indexOf(crl).unknownCritical;
  return unknown === undefined
    ? []
    : [['crl-unknown-critical', `its CRL has the critical extension ${oidName(unknown)}, not processed here`]];
}

function judge(certificate: Certificate, issuer: Certificate, crl: CertificateList, at: Date): JudgedCrl {
  const authentic = verifySignedBy(crl, issuer);
  const faults: [PathRule, string][] = [...freshness(crl, at), ...crlNumberFaults(crl), ...criticalFaults(crl)];
  if (!authentic) faults.push(['crl-signature', 'the signature of its CRL does not verify']);
  if (issuer.keyUsage?.includes('cRLSign') === false) {
    faults.push(['crl-issuer', 'the keyUsage of its issuer does not allow to sign CRLs']);
  }
  if (crl.signatureAlgorithm === 'RSA-SHA1') faults.push(['weak-signature', 'its CRL is signed with SHA-1']);
  return { crl, authentic, problems: faults.map(([rule, detail]) => pathReason(rule, certificate, detail)) };
}

function revokedReason(certificate: Certificate, crl: CertificateList): PathReason | undefined {
  const entry = indexOf(crl).bySerialNumber.get(certificate.serialNumber);
  if (entry === undefined) return undefined;
  const reason = entry.reason ?? 'unspecified';
  return pathReason('revoked', certificate, `is revoked since ${entry.revocationDate.toISOString()} (${reason})`);
}

function isNewer(left: JudgedCrl, right: JudgedCrl): number {
  return right.crl.thisUpdate.getTime() - left.crl.thisUpdate.getTime();
}

/** RFC 5280 5.2.3: a later CRL of the same scope never has a lower number. */
function numberFellReason(certificate: Certificate, newest: CertificateList, all: readonly JudgedCrl[]): PathReason[] {
  const scope = findExtension(newest.extensions, OID.issuingDistributionPoint)?.value;
  const fell = all.some(({ crl, authentic }) => {
    const other = findExtension(crl.extensions, OID.issuingDistributionPoint)?.value;
    const sameScope = scope === undefined || other === undefined ? scope === other : scope.equals(other);
    return (
      authentic && sameScope && crl.thisUpdate < newest.thisUpdate && (crl.crlNumber ?? 0n) > (newest.crlNumber ?? 0n)
    );
  });
  return fell ? [pathReason('crl-number', certificate, 'an older CRL has a higher cRLNumber than the newest')] : [];
}

function isComplete(crl: CertificateList): boolean {
  return crl.deltaBase === undefined && !indexOf(crl).namesOtherIssuers;
}

/**
 * Why `certificate`, issued by `issuer`, is revoked by `crls` or cannot be cleared by them at the time `at`. The newest
 * CRL of its issuer that covers it and breaks no rule decides; listed is revoked, whatever the date of the entry. Without
 * such a CRL there is a reason for every rule the others break, and an authentic one that lists the certificate still
 * revokes it. `counts` tells which reasons matter to the caller.
 */
export function revocationReasons(
  certificate: Certificate,
  issuer: Certificate,
  crls: readonly CertificateList[],
  at: Date,
  counts: (reason: PathReason) => boolean,
): PathReason[] {
  const ofIssuer = crls.filter((crl) => crl.issuer.der.equals(issuer.subject.der));
  if (ofIssuer.length === 0) return [pathReason('crl-missing', certificate, 'no CRL of its issuer is given')];
  const covering = ofIssuer.filter(
    (crl) => isComplete(crl) && isInScope(certificate, crl.issuingDistributionPoint ?? {}),
  );
  if (covering.length === 0) return [pathReason('crl-scope', certificate, 'no CRL of its issuer covers it')];
  const judged = covering.map((crl) => judge(certificate, issuer, crl, at)).toSorted(isNewer);
  const newest = judged.find(({ problems }) => !problems.some(counts));
  if (newest !== undefined) {
    const revoked = revokedReason(certificate, newest.crl);
    return [...(revoked === undefined ? [] : [revoked]), ...numberFellReason(certificate, newest.crl, judged)];
  }
  const listed = judged.filter(({ authentic }) => authentic).map(({ crl }) => revokedReason(certificate, crl));
  return [
    ...listed.filter((reason) => reason !== undefined).slice(0, 1),
    ...judged.flatMap(({ problems }) => problems),
  ];
}
