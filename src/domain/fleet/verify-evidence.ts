/** Verifies a snapshot of the evidence offline: nothing is believed of the service but what it says of its own registry. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { nameValues } from '../../x509/name.ts';
import { validatePath } from '../../x509/path.ts';
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { CompactRange, leafHash } from '../audit/tree.ts';
import { isKeptRequestGenuine, readSignatureBase } from '../http-signature.ts';
import { readSignedTime } from '../signed-body.ts';
import { faultOf, readDeviceReport, REPORT_PATH, type DeviceReport } from './device-report.ts';
import { leafBytes, memberOfLeaf, type EvidenceBody, type EvidenceLeaf, type LeafReport } from './evidence.ts';
import { hasReached, levelNow, type FleetLevel } from './levels.ts';
import { readinessOfMembers, type FleetMember } from './readiness.ts';
import { readinessBody } from './readiness-body.ts';

/** A leaf as it is exported, with the certificate that signed its report (DER). */
export interface ExportedLeaf {
  readonly leaf: EvidenceLeaf;
  readonly certificate?: Buffer;
}

/** What an auditor trusts: the anchors of the device certificates, and the CAs between. */
export interface EvidenceTrust {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
}

export interface EvidenceVerdict {
  readonly members: number;
  readonly reports: number;
  /** What is wrong, with the device where it is one's; the first hundred. */
  readonly faults: readonly { readonly device?: string; readonly text: string }[];
}

const MOST_FAULTS = 100;

function octets(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

/** The level that a report proves of a root; MIGRATED only when the key that signed stands under that root. */
function levelProved(report: DeviceReport, rootSm3: string, signedUnder: string, at: Date): FleetLevel {
  if (report.level === 'FETCHED' || report.anchors?.includes(rootSm3) !== true) return 'FETCHED';
  const isOfRoot = report.canary?.pathSpki.at(-1) === rootSm3;
  if (report.level === 'VERIFIED' && isOfRoot && faultOf(report) === undefined) return 'VERIFIED';
  if (report.level !== 'MIGRATED' || signedUnder !== rootSm3) return 'INSTALLED';
  return levelNow('MIGRATED', readSignedTime(report.certificates?.usedAt ?? ''), at);
}

/** Certificates of before the upgrade may be without the serial number of the device: only the registry binds those. */
function isOf(certificate: Certificate, serial: string): boolean {
  const serials = nameValues(certificate.subject, 'serialNumber');
  return serials.length === 0 || serials.includes(serial);
}

/** Why the report does not put the member where the leaf says it is; undefined when it does. */
function reportFault(
  { member, report, der }: { readonly member: FleetMember; readonly report: LeafReport; readonly der: Buffer },
  { root, takenAt }: EvidenceBody,
  trust: EvidenceTrust,
): string | undefined {
  const kept = { base: octets(report.base), signature: octets(report.signature), body: octets(report.body) };
  const certificate = parseCertificate(der);
  if (sm3Fingerprint(der) !== report.certificate) return 'the certificate is not the one that the leaf names';
  const { method, path, created, keyid } = readSignatureBase(kept.base);
  if (method !== 'POST' || path !== REPORT_PATH) return 'the signed request is no report';
  const named = `sm3:${Buffer.from(keyid.slice(4), 'base64url').toString('hex')}`;
  if (keyid.startsWith('sm3:') && named !== report.certificate)
    return 'the report was signed under another certificate';
  if (!isKeptRequestGenuine(kept, certificate.spki)) return 'the signature, or the digest of the body, does not hold';
  if (!isOf(certificate, member.serial)) return 'the certificate is that of another device';
  const request = { leaf: certificate, ...trust, at: created, purpose: 'any', profile: 'legacy' } as const;
  const verdict = validatePath(request);
  const anchor = verdict.path.at(-1);
  if (!verdict.valid || anchor === undefined) return 'the certificate does not chain to an anchor';
  const at = readSignedTime(takenAt) ?? new Date(0);
  if (created.getTime() > at.getTime() + 300_000) return 'the report is younger than the snapshot';
  const proved = levelProved(readDeviceReport(kept.body), root, spkiSm3(anchor.spki), at);
  return hasReached(proved, member.level) ? undefined : `the report proves ${proved}, the leaf says ${member.level}`;
}

function leafFault(exported: ExportedLeaf, body: EvidenceBody, trust: EvidenceTrust): string | undefined {
  const member = memberOfLeaf(exported.leaf);
  const { report } = exported.leaf;
  if (report === undefined) return member.level === 'OFFERED' ? undefined : `no report proves ${member.level}`;
  if (exported.certificate === undefined) return 'the certificate of the report is missing';
  try {
    return reportFault({ member, report, der: exported.certificate }, body, trust);
  } catch (error) {
    if (error instanceof KmcError) return error.message;
    throw error;
  }
}

/** When the report of a leaf was signed. */
export function signedAt({ report }: EvidenceLeaf): Date | undefined {
  return report === undefined ? undefined : readSignatureBase(octets(report.base)).created;
}

/** The oldest and the newest of the reports. */
export function ageOf(times: readonly Date[]): {
  readonly reports: number;
  readonly oldest: Date | undefined;
  readonly newest: Date | undefined;
} {
  const sorted = times.toSorted((a, b) => a.getTime() - b.getTime());
  return { reports: times.length, oldest: sorted[0], newest: sorted.at(-1) };
}

/**
 * Verifies every leaf, the tree over them, and that the figures are those of the leaves. A changed, added, dropped or moved
 * leaf changes the root of the tree; a forged report fails by its signature.
 * @param leaves in the order of device ids.
 */
export function verifyEvidence(
  body: EvidenceBody,
  leaves: Iterable<ExportedLeaf>,
  trust: EvidenceTrust,
): EvidenceVerdict {
  const tree = new CompactRange(sm3);
  const faults: { device?: string; text: string }[] = [];
  const members: FleetMember[] = [];
  const times: Date[] = [];
  for (const exported of leaves) {
    tree.append(leafHash(sm3, leafBytes(exported.leaf)));
    const member = memberOfLeaf(exported.leaf);
    const previous = members.at(-1);
    if (previous !== undefined && previous.id >= member.id) faults.push({ device: member.id, text: 'is out of order' });
    members.push(member);
    const text = leafFault(exported, body, trust);
    if (text !== undefined) faults.push({ device: member.id, text });
    else if (exported.leaf.report !== undefined) times.push(signedAt(exported.leaf) ?? new Date(0));
  }
  if (String(members.length) !== body.members) {
    faults.push({ text: `the snapshot is of ${body.members} members, ${members.length} are here` });
  }
  if (`sm3:${tree.root().toString('hex')}` !== body.merkleRoot)
    faults.push({ text: 'the root of the tree is another' });
  if (faults.length === 0) faults.push(...figureFaults(body, members, times));
  return { members: members.length, reports: times.length, faults: faults.slice(0, MOST_FAULTS) };
}

function figureFaults(
  { readiness, takenAt }: EvidenceBody,
  members: readonly FleetMember[],
  times: readonly Date[],
): { text: string }[] {
  const goal = readiness['goal'] as FleetLevel;
  const at = readSignedTime(takenAt) ?? new Date(0);
  const computed = readinessBody(readinessOfMembers(members, { at, goal, evidence: ageOf(times) }));
  return canonicalizeSigned(computed) === canonicalizeSigned(readiness)
    ? []
    : [{ text: 'the figures are not those of the leaves' }];
}
