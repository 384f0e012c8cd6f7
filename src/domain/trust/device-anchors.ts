/** The anchors of a device from one version to the next (A.4, RFC 5011's shape): NONE, PENDING, TRUSTED, RETIRING, DISTRUSTED. */
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { validatePath } from '../../x509/path.ts';
import { readSignedTime, signedTime } from '../signed-body.ts';
import { derOf, type ManifestAnchor, type ManifestBody, type ManifestLink } from './manifest.ts';
import { anchorCertificate, isTransportOnly } from './manifest-consistency.ts';
import { trustRefusal } from './trust-rules.ts';
import type { DeviceAnchor, TrustState } from './trust-state.ts';

/** Hours that a device waits before it trusts a new anchor, at least (A.4); the server's gate waits 30 days. */
const HOLD_DOWN_HOURS = 24;
const HOUR_MS = 3_600_000;
/** What may sign a link: SHA-1 never does, even where the old root signed itself with it (A.2 point 6). */
const LINK_SIGNATURES: readonly string[] = ['RSA-SHA256', 'RSA-PSS-SHA256', 'SM2-SM3', 'ECDSA-P256-SHA256'];

const passed = (time: string, now: Date): boolean => (readSignedTime(time)?.getTime() ?? Number.NaN) <= now.getTime();

/** True while the device may use the anchor to validate peers. */
export function isOperational(anchor: DeviceAnchor): boolean {
  return anchor.state === 'TRUSTED' || anchor.state === 'RETIRING';
}

function linkCertificate(link: ManifestLink): Certificate {
  return parseCertificate(derOf(link.cert));
}

/** Why a link certificate does not carry trust from `old` to `anchor`; undefined when it does. */
function linkFault(link: ManifestLink, old: Certificate, anchor: Certificate, now: Date): string | undefined {
  const certificate = linkCertificate(link);
  if (!certificate.spki.equals(anchor.spki)) return 'is not over the key of the new anchor';
  if (!certificate.subject.der.equals(anchor.subject.der)) return 'does not name the new anchor';
  if (!certificate.issuer.der.equals(old.subject.der)) return 'is not issued by the old anchor';
  if (!LINK_SIGNATURES.includes(certificate.signatureAlgorithm))
    return 'is signed with an algorithm that is not accepted';
  const path = { leaf: certificate, intermediates: [], anchors: [old], at: now } as const;
  const verdict = validatePath({ ...path, purpose: 'issuing-ca', profile: 'legacy' });
  return verdict.valid ? undefined : (verdict.reasons[0]?.detail ?? 'does not verify');
}

/** P1: one link certificate from an anchor that this device trusts. @throws KmcError E_TRUST (link-missing, link-mismatch). */
function requireLink(state: TrustState, next: ManifestBody, anchor: ManifestAnchor, now: Date): void {
  const trusted = state.anchors.filter(isOperational).map((each) => each.spkiSm3);
  const before = state.manifest.body.anchors.filter((each) => trusted.includes(each.spkiSm3) && !isTransportOnly(each));
  const links = next.links.filter(({ type, to }) => type === 'newWithOld' && to === anchor.gen);
  const faults: string[] = [];
  for (const link of links) {
    const old = before.find(({ gen }) => gen === link.from);
    const fault =
      old === undefined
        ? `comes from ${link.from}, which this device does not trust`
        : linkFault(link, anchorCertificate(old), anchorCertificate(anchor), now);
    if (fault === undefined) return;
    faults.push(fault);
  }
  if (faults.length === 0) throw trustRefusal('link-missing', `No link certificate leads to the anchor ${anchor.gen}.`);
  throw trustRefusal('link-mismatch', `The link certificate to ${anchor.gen} ${faults.join('; another ')}.`);
}

/** True when the version that the device trusts committed to this key, and this one declares an emergency. */
function isCommitted(state: TrustState, next: ManifestBody, anchor: ManifestAnchor): boolean {
  return next.emergency && state.manifest.body.nextCommit?.spkiSm3 === anchor.spkiSm3;
}

function requireMayEnter(state: TrustState, next: ManifestBody, anchor: ManifestAnchor, now: Date): void {
  if (isTransportOnly(anchor) || isCommitted(state, next, anchor)) return;
  if (next.emergency) {
    throw trustRefusal('not-committed', `The anchor ${anchor.gen} is not the standby root of the version before.`);
  }
  requireLink(state, next, anchor, now);
}

/** The state that an anchor has at `now`, once it may stand in the device at all. */
function stateAt(anchor: ManifestAnchor, since: string, waits: boolean, now: Date): DeviceAnchor['state'] {
  if (anchor.state === 'DISTRUSTED') return 'DISTRUSTED';
  if (anchor.distrustAfter !== undefined && passed(anchor.distrustAfter, now)) return 'DISTRUSTED';
  if (!passed(anchor.trustFrom, now)) return 'PENDING';
  const held = passed(since, new Date(now.getTime() - HOLD_DOWN_HOURS * HOUR_MS));
  if (waits && !held) return 'PENDING';
  return anchor.state === 'RETIRING' ? 'RETIRING' : 'TRUSTED';
}

/**
 * The anchors after `next`. One that the manifest no longer lists is gone, so that a break starts its hold-down anew; what
 * was DISTRUSTED stays so.
 * @throws KmcError E_TRUST (link-missing, link-mismatch, not-committed, deny-list).
 */
export function moveAnchors(state: TrustState, next: ManifestBody, now: Date): DeviceAnchor[] {
  const known = new Map(state.anchors.map((anchor) => [anchor.spkiSm3, anchor]));
  const moved = next.anchors.map((anchor): DeviceAnchor => {
    const before = known.get(anchor.spkiSm3);
    if (before?.state === 'DISTRUSTED') {
      if (anchor.state !== 'DISTRUSTED') {
        throw trustRefusal('deny-list', `The anchor ${anchor.gen} was distrusted, which is for ever.`);
      }
      return before;
    }
    if (before === undefined && anchor.state !== 'DISTRUSTED') requireMayEnter(state, next, anchor, now);
    const since = before?.since ?? signedTime(now);
    const waits = (before === undefined || before.state === 'PENDING') && !isCommitted(state, next, anchor);
    return { spkiSm3: anchor.spkiSm3, state: stateAt(anchor, since, waits, now), since };
  });
  return [...moved, ...banned(state, next, moved, now)];
}

/** Keys that are distrusted for ever and stand in no list of anchors any more. */
function banned(state: TrustState, next: ManifestBody, moved: readonly DeviceAnchor[], now: Date): DeviceAnchor[] {
  const listed = new Set(moved.map((anchor) => anchor.spkiSm3));
  const kept = state.anchors.filter(({ state: was, spkiSm3: kid }) => was === 'DISTRUSTED' && !listed.has(kid));
  for (const { spkiSm3: kid } of kept) listed.add(kid);
  const denied = next.distrustedSpki.filter((kid) => !listed.has(kid));
  return [
    ...kept,
    ...denied.map((kid): DeviceAnchor => ({ spkiSm3: kid, state: 'DISTRUSTED', since: signedTime(now) })),
  ];
}

/** The anchors as time alone moves them: hold-downs that ended, dates of distrust that passed. */
export function ageAnchors(state: TrustState, now: Date): DeviceAnchor[] {
  const listed = new Map(state.manifest.body.anchors.map((anchor) => [anchor.spkiSm3, anchor]));
  return state.anchors.map((anchor) => {
    const stands = listed.get(anchor.spkiSm3);
    if (stands === undefined || anchor.state === 'DISTRUSTED') return anchor;
    return { ...anchor, state: stateAt(stands, anchor.since, anchor.state === 'PENDING', now) };
  });
}

/** The anchors of a manifest that a device takes as its beginning: trusted at once, for they came another way. */
export function firstAnchors(body: ManifestBody, now: Date): DeviceAnchor[] {
  const since = signedTime(now);
  const moved = body.anchors.map((anchor): DeviceAnchor => ({
    spkiSm3: anchor.spkiSm3,
    state: stateAt(anchor, since, false, now),
    since,
  }));
  const listed = new Set(moved.map((anchor) => anchor.spkiSm3));
  const denied = body.distrustedSpki.filter((kid) => !listed.has(kid));
  return [...moved, ...denied.map((kid): DeviceAnchor => ({ spkiSm3: kid, state: 'DISTRUSTED', since }))];
}

/** The certificates of the anchors that the device may use, DER. */
export function operationalCertificates(state: TrustState): { readonly gen: string; readonly der: Buffer }[] {
  const usable = new Set(state.anchors.filter(isOperational).map((anchor) => anchor.spkiSm3));
  return state.manifest.body.anchors
    .filter((anchor) => usable.has(anchor.spkiSm3))
    .map((anchor) => ({ gen: anchor.gen, der: anchorCertificate(anchor).der }));
}
