/** The rules by which a device goes from one manifest to the next (A.3, A.4). Pure: no clock, no file, no network. */
import { readSignedTime } from '../signed-body.ts';
import { ageAnchors, firstAnchors, moveAnchors } from './device-anchors.ts';
import { manifestDigest, versionOf, type Manifest, type ManifestBody } from './manifest.ts';
import { requireConsistent } from './manifest-consistency.ts';
import { requireForwardSets, requireSigners } from './signer-sets.ts';
import { trustRefusal } from './trust-rules.ts';
import { TRUST_STATE_SCHEMA, type TrustState } from './trust-state.ts';

/** A device's clock may be behind by so many seconds. */
const CLOCK_SKEW_SECONDS = 300;

const millis = (time: string): number => readSignedTime(time)?.getTime() ?? Number.NaN;

/**
 * Refuses a manifest that is not in force: the newest one a device walks to, never one on the way.
 * @throws KmcError E_TRUST (expired, not-yet-issued).
 */
export function requireInForce({ version, issuedAt, expiresAt }: ManifestBody, now: Date): void {
  if (millis(issuedAt) > now.getTime() + CLOCK_SKEW_SECONDS * 1000) {
    throw trustRefusal('not-yet-issued', `Version ${version} is from ${issuedAt}, which is in the future here.`);
  }
  if (millis(expiresAt) <= now.getTime()) {
    throw trustRefusal('expired', `Version ${version} ended at ${expiresAt}: fetch a newer one.`);
  }
}

function requireNext(previous: ManifestBody, next: ManifestBody): void {
  if (next.bundle !== previous.bundle) {
    throw trustRefusal('other-bundle', `The manifest is of the bundle ${next.bundle}, not ${previous.bundle}.`);
  }
  const wanted = versionOf(previous) + 1;
  if (versionOf(next) < wanted) {
    throw trustRefusal('rollback', `Version ${next.version} is not newer than version ${previous.version} here.`);
  }
  if (versionOf(next) > wanted) {
    throw trustRefusal('skipped-version', `Version ${next.version} cannot follow ${previous.version}: give ${wanted}.`);
  }
  if (next.prevDigest !== manifestDigest(previous)) {
    throw trustRefusal('previous-digest', `Version ${next.version} follows another version ${previous.version}.`);
  }
  const missing = previous.distrustedSpki.find((kid) => !next.distrustedSpki.includes(kid));
  if (missing !== undefined) throw trustRefusal('deny-list', `${missing} has left the deny list.`);
}

/**
 * Checks that `manifest` may follow `previous`: for devices and for the service that publishes it. Anchors are the
 * device's own matter.
 * @throws KmcError E_TRUST with the rule; E_KEY or E_POINT for a signer's key that is not acceptable.
 */
export function requireSuccessor(previous: Manifest, manifest: Manifest, retiredSets: readonly string[]): void {
  requireNext(previous.body, manifest.body);
  requireConsistent(manifest.body);
  requireForwardSets(previous.body, manifest.body, retiredSets);
  requireSigners(previous.body, manifest);
}

/**
 * A device that has followed every version up to `manifest` and whose hold-downs are over: what the service checks a new
 * version against before anybody gets it.
 * @param retiredSets signer sets that versions before it gave up.
 */
export function upToDateDevice(manifest: Manifest, retiredSets: readonly string[], now: Date): TrustState {
  return { schema: TRUST_STATE_SCHEMA, manifest, anchors: firstAnchors(manifest.body, now), retiredSets };
}

/** The signer sets that are given up once `next` follows `previous`. */
export function retiredAfter(retired: readonly string[], previous: ManifestBody, next: ManifestBody): string[] {
  const listed = next.signers.map(({ set }) => set);
  const dropped = previous.signers.map(({ set }) => set).filter((set) => !listed.includes(set));
  return [...new Set([...retired, ...dropped])];
}

/**
 * The state after walking through `manifests`, each the version after the one before it; only the last must be in force.
 * Nothing is taken when one is refused.
 * @throws KmcError E_TRUST with the rule that was broken.
 */
export function applyManifests(state: TrustState, manifests: readonly Manifest[], now: Date): TrustState {
  let current = state;
  for (const manifest of manifests) {
    requireSuccessor(current.manifest, manifest, current.retiredSets);
    const { body } = manifest;
    current = {
      ...current,
      manifest,
      anchors: moveAnchors({ ...current, anchors: ageAnchors(current, now) }, body, now),
      retiredSets: retiredAfter(current.retiredSets, current.manifest.body, body),
    };
  }
  requireInForce(current.manifest.body, now);
  return current;
}
