/** What a manifest must agree with in itself, before anybody looks at who signed it. */
import { sha256 } from '../../crypto/digests.ts';
import { parseSpki, spkiSm3 } from '../../crypto/spki.ts';
import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { readSignedTime } from '../signed-body.ts';
import { derOf, versionOf, type ManifestAnchor, type ManifestBody, type SignerSet } from './manifest.ts';
import { trustRefusal } from './trust-rules.ts';

/** Days from `issuedAt` to `expiresAt` at most (A.4). */
export const LONGEST_LIFE_DAYS = 90;
const DAY_MS = 86_400_000;

function contradiction(detail: string, cause?: unknown): KmcError {
  return trustRefusal('inconsistent', detail, cause);
}

function certificateOf(text: string, what: string): Certificate {
  try {
    return parseCertificate(derOf(text));
  } catch (cause) {
    if (cause instanceof KmcError) throw contradiction(`The certificate of ${what} cannot be read.`, cause);
    throw cause;
  }
}

/** The certificate of an anchor. @throws KmcError E_TRUST (inconsistent). */
export function anchorCertificate(anchor: ManifestAnchor): Certificate {
  return certificateOf(anchor.cert, `the anchor ${anchor.gen}`);
}

/** True for an anchor that vouches for the service only, never for a peer. */
export function isTransportOnly({ purposes }: ManifestAnchor): boolean {
  return purposes.every((purpose) => purpose === 'api');
}

function checkAnchor(anchor: ManifestAnchor, denied: readonly string[]): void {
  const { gen, state, purposes, spkiSm3: kid, certSha256, distrustAfter } = anchor;
  const certificate = anchorCertificate(anchor);
  if (spkiSm3(certificate.spki) !== kid || sha256(certificate.der).toString('hex') !== certSha256) {
    throw contradiction(`The digests of the anchor ${gen} are not those of its certificate.`);
  }
  if (certificate.basicConstraints?.ca !== true) throw contradiction(`The anchor ${gen} is no CA certificate.`);
  if (purposes.length === 0 || new Set(purposes).size < purposes.length) {
    throw contradiction(`The purposes of the anchor ${gen} are none, or one twice.`);
  }
  if (isTransportOnly(anchor) && state === 'ACTIVE') {
    throw contradiction(`The anchor ${gen} is for the transport only and cannot be ACTIVE.`);
  }
  if (distrustAfter !== undefined && state !== 'RETIRING') {
    throw contradiction(`The anchor ${gen} has a date of distrust and is not RETIRING.`);
  }
  if (denied.includes(kid) && state !== 'DISTRUSTED') {
    throw trustRefusal('deny-list', `The anchor ${gen} stands on the deny list.`);
  }
}

function checkSet({ set, threshold, emergencyThreshold, keys }: SignerSet, first: boolean): void {
  const holders = new Set(keys.map(({ holder }) => holder)).size;
  if (Number(threshold) > holders || Number(emergencyThreshold) > holders) {
    throw contradiction(`The set ${set} has ${holders} holders, fewer than its threshold.`);
  }
  if (Number(threshold) < 2 || Number(emergencyThreshold) < Number(threshold)) {
    throw contradiction(`The thresholds of the set ${set} are below two, or the emergency one below the other.`);
  }
  for (const { kid, alg, spki, cert } of keys) {
    const key = derOf(spki);
    if (spkiSm3(key) !== kid || parseSpki(key).algorithm !== SIGNATURE_ALGORITHMS[alg].keyAlgorithm) {
      throw contradiction(`A key of the set ${set} is not what its kid and algorithm say.`);
    }
    if ((cert !== undefined) !== first) {
      throw contradiction('The keys of signers carry certificates in version 1, and in no other.');
    }
    if (cert !== undefined && !certificateOf(cert, `a signer of ${set}`).spki.equals(key)) {
      throw contradiction(`A certificate of the set ${set} is not over its key.`);
    }
  }
}

function requireDistinct(values: readonly string[], what: string): void {
  if (new Set(values).size < values.length) throw contradiction(`The manifest lists ${what} twice.`);
}

function checkTimes({ issuedAt, expiresAt }: ManifestBody): void {
  const from = readSignedTime(issuedAt)?.getTime() ?? Number.NaN;
  const to = readSignedTime(expiresAt)?.getTime() ?? Number.NaN;
  if (!(from < to) || to - from > LONGEST_LIFE_DAYS * DAY_MS) {
    throw contradiction(`A manifest is in force for at most ${LONGEST_LIFE_DAYS} days.`);
  }
}

/**
 * Refuses a manifest that contradicts itself: digests, states, thresholds, times, or something listed twice.
 * @throws KmcError E_TRUST (inconsistent, deny-list), E_KEY or E_POINT for a signer's key that is not acceptable.
 */
export function requireConsistent(body: ManifestBody): void {
  const first = versionOf(body) === 1;
  if (first !== (body.prevDigest === undefined)) {
    throw contradiction('Version 1 names no version before it, and every other names one.');
  }
  checkTimes(body);
  for (const anchor of body.anchors) checkAnchor(anchor, body.distrustedSpki);
  for (const set of body.signers) checkSet(set, first);
  requireDistinct(
    body.anchors.map(({ gen }) => gen),
    'a generation',
  );
  requireDistinct(
    body.anchors.map(({ spkiSm3: kid }) => kid),
    'the key of an anchor',
  );
  requireDistinct(
    body.signers.map(({ set }) => set),
    'a signer set',
  );
  requireDistinct(
    body.signers.flatMap(({ keys }) => keys.map(({ kid }) => kid)),
    'the key of a signer',
  );
  requireDistinct(body.distrustedSpki, 'a key of the deny list');
  if (body.signers.length === 0) throw contradiction('The manifest lists no set of signers.');
  if (body.anchors.filter(({ state }) => state === 'ACTIVE').length > 1) {
    throw contradiction('More than one anchor is ACTIVE.');
  }
  for (const cert of body.intermediates) certificateOf(cert, 'an intermediate');
  for (const { type, from, to, cert } of body.links) certificateOf(cert, `the link ${type} from ${from} to ${to}`);
  if (body.nextCommit !== undefined && body.distrustedSpki.includes(body.nextCommit.spkiSm3)) {
    throw trustRefusal('deny-list', 'The standby root stands on the deny list.');
  }
}
