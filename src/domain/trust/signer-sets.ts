/** Which sets of bundle-signers must sign a version, and whether they did (A.3, "Which set must sign"). */
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../crypto/algorithms.ts';
import { KmcError } from '../../errors.ts';
import { derOf, manifestBytes, type Manifest, type ManifestBody, type SignerKey, type SignerSet } from './manifest.ts';
import { trustRefusal } from './trust-rules.ts';

/** A set as one version lists it. */
export interface RequiredSet {
  readonly listedBy: 'previous' | 'next';
  readonly set: SignerSet;
}

export interface SignerCount extends RequiredSet {
  readonly threshold: number;
  /** Distinct holders with a valid signature, in the order of the set. */
  readonly holders: readonly string[];
}

function keyIdentity({ kid, alg, holder, spki }: SignerKey): string {
  return JSON.stringify([kid, alg, holder, spki]);
}

/** Same keys and thresholds; a certificate that stood in version 1 only makes no difference. */
function isSameSet(a: SignerSet, b: SignerSet): boolean {
  const keys = (set: SignerSet): string => set.keys.map(keyIdentity).toSorted().join('\n');
  return a.threshold === b.threshold && a.emergencyThreshold === b.emergencyThreshold && keys(a) === keys(b);
}

/**
 * Sets are added at the end, one at a time, and given up at the front; one that was given up never comes back.
 * @param retired names of sets that an earlier version listed and a later one did not.
 * @throws KmcError E_TRUST (downgrade).
 */
export function requireForwardSets(previous: ManifestBody, next: ManifestBody, retired: readonly string[]): void {
  const before = previous.signers.map(({ set }) => set);
  const after = next.signers.map(({ set }) => set);
  const kept = after.filter((name) => before.includes(name));
  const added = after.filter((name) => !before.includes(name));
  const back = added.find((name) => retired.includes(name));
  if (back !== undefined) {
    throw trustRefusal('downgrade', `The signer set ${back} was given up and is listed again.`);
  }
  const fromTheFront = before.slice(before.length - kept.length);
  if (added.length > 1 || after.join('\n') !== [...fromTheFront, ...added].join('\n') || kept.length === 0) {
    throw trustRefusal('downgrade', 'The signer sets are not those of the version before, gone forward.');
  }
}

/** The sets that must sign `next`: the first of the version before, the last of the new one, and every one that changed. */
function requiredSets(previous: ManifestBody | undefined, next: ManifestBody): RequiredSet[] {
  const newest = next.signers.at(-1);
  const required: RequiredSet[] = newest === undefined ? [] : [{ listedBy: 'next', set: newest }];
  if (previous === undefined) {
    const oldest = next.signers[0];
    return oldest === undefined || oldest === newest ? required : [{ listedBy: 'next', set: oldest }, ...required];
  }
  const changed = previous.signers.filter((set, position) => {
    if (position === 0) return true;
    const now = next.signers.find((other) => other.set === set.set);
    return now !== undefined && !isSameSet(set, now);
  });
  return [...changed.map((set): RequiredSet => ({ listedBy: 'previous', set })), ...required];
}

function isSignedBy(manifest: Manifest, bytes: Buffer, key: SignerKey): boolean {
  return manifest.signatures.some(({ kid, sig }) => {
    if (kid !== key.kid) return false;
    try {
      const signature = SIGNATURE_ALGORITHMS[key.alg].fromRaw(Buffer.from(sig, 'base64'));
      return verifySignature(key.alg, derOf(key.spki), bytes, signature);
    } catch (error) {
      if (error instanceof KmcError) return false;
      throw error;
    }
  });
}

/**
 * How each set that must sign stands. A key that signs twice and a holder with two keys count once.
 * @param accepts tells whether a key counts at all (version 1 asks for its certificate); every key does unless told.
 */
export function countSigners(
  previous: ManifestBody | undefined,
  manifest: Manifest,
  accepts: (key: SignerKey) => boolean = () => true,
): SignerCount[] {
  const bytes = manifestBytes(manifest.body);
  return requiredSets(previous, manifest.body).map((required) => {
    const { threshold, emergencyThreshold, keys } = required.set;
    const signed = keys.filter((key) => accepts(key) && isSignedBy(manifest, bytes, key));
    return {
      ...required,
      threshold: Number(manifest.body.emergency ? emergencyThreshold : threshold),
      holders: [...new Set(signed.map(({ holder }) => holder))],
    };
  });
}

/** @throws KmcError E_TRUST (too-few-signers) naming the set that is short. */
export function requireSigners(
  previous: ManifestBody | undefined,
  manifest: Manifest,
  accepts?: (key: SignerKey) => boolean,
): void {
  const short = countSigners(previous, manifest, accepts).find(({ holders, threshold }) => holders.length < threshold);
  if (short === undefined) return;
  const which = short.listedBy === 'previous' ? 'as the version before lists it' : 'as this version lists it';
  throw trustRefusal(
    'too-few-signers',
    `${short.holders.length} of ${short.threshold} holders of the set ${short.set.set}, ${which}, signed.`,
  );
}
