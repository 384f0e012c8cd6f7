/** How a device comes by its first manifest (A.3: version 1, provisioning, P4). */
import { OID } from '../../crypto/asn1/oids.ts';
import { sha256 } from '../../crypto/digests.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { findExtension } from '../../x509/extensions.ts';
import { validatePath } from '../../x509/path.ts';
import { requireInForce } from './apply-manifest.ts';
import { firstAnchors, isOperational, operationalCertificates } from './device-anchors.ts';
import { derOf, manifestDigest, versionOf, type Manifest, type SignerKey } from './manifest.ts';
import { anchorCertificate, requireConsistent } from './manifest-consistency.ts';
import { requireSigners } from './signer-sets.ts';
import { trustRefusal } from './trust-rules.ts';
import { TRUST_STATE_SCHEMA, type TrustState } from './trust-state.ts';

function begin(manifest: Manifest, now: Date): TrustState {
  const state: TrustState = {
    schema: TRUST_STATE_SCHEMA,
    manifest,
    anchors: firstAnchors(manifest.body, now),
    retiredSets: [],
  };
  if (operationalCertificates(state).length > 0) return state;
  throw trustRefusal('first-version', 'The manifest holds no anchor that is trusted now.');
}

function requireWhole(manifest: Manifest, now: Date, accepts?: (key: SignerKey) => boolean): void {
  requireConsistent(manifest.body);
  requireSigners(undefined, manifest, accepts);
  requireInForce(manifest.body, now);
}

/** The holder of a bundle-signer certificate under the anchor; undefined for every certificate that is none. */
function certifiedHolder(text: string, anchor: Certificate, purposeOid: string, now: Date): string | undefined {
  const certificate = parseCertificate(derOf(text));
  const extension = findExtension(certificate.extensions, OID.extendedKeyUsage);
  const fits =
    extension?.critical === true &&
    certificate.extendedKeyUsage?.length === 1 &&
    certificate.extendedKeyUsage[0] === purposeOid &&
    certificate.keyUsage?.includes('digitalSignature') === true;
  if (!fits) return undefined;
  const path = { leaf: certificate, intermediates: [], anchors: [anchor], at: now } as const;
  const { valid } = validatePath({ ...path, purpose: 'signature', profile: 'legacy' });
  return valid ? certificate.subject.text : undefined;
}

/**
 * Version 1 for a device in the field that has an anchor and no manifest: signers at the threshold hold bundle-signer
 * certificates under that anchor. Holders are counted by the subjects of those certificates.
 * @param purposeOid the extended key usage of bundle-signers, dotted.
 * @throws KmcError E_TRUST (first-version, and what every manifest must keep).
 */
export function acceptFirstVersion(
  manifest: Manifest,
  { anchor, purposeOid, now }: { readonly anchor: Certificate; readonly purposeOid: string; readonly now: Date },
): TrustState {
  if (versionOf(manifest.body) !== 1) {
    throw trustRefusal('first-version', `Version ${manifest.body.version} is not the first: begin with version 1.`);
  }
  const named = new Map<string, string>();
  const accepts = ({ cert, holder }: SignerKey): boolean => {
    const subject = cert === undefined ? undefined : certifiedHolder(cert, anchor, purposeOid, now);
    if (subject === undefined) return false;
    // One person under two names of the manifest counts once.
    const first = named.get(subject) ?? holder;
    named.set(subject, first);
    return first === holder;
  };
  requireWhole(manifest, now, accepts);
  const state = begin(manifest, now);
  const present = manifest.body.anchors.find((each) => anchorCertificate(each).spki.equals(anchor.spki));
  if (present === undefined || !state.anchors.some((each) => each.spkiSm3 === present.spkiSm3 && isOperational(each))) {
    throw trustRefusal('first-version', 'Version 1 does not trust the anchor that this device has.');
  }
  return state;
}

/**
 * The newest manifest, handed to a new device with its digest by whoever provisions it.
 * @param digest `sm3:<hex>` of the manifest, from elsewhere.
 * @throws KmcError E_TRUST (fingerprint, and what every manifest must keep).
 */
export function acceptProvisioned(manifest: Manifest, digest: string, now: Date): TrustState {
  if (manifestDigest(manifest.body) !== digest) {
    throw trustRefusal('fingerprint', 'The manifest has another digest than the one that was given.');
  }
  requireWhole(manifest, now);
  return begin(manifest, now);
}

/** What two operators of the province typed from the minute sheet of the ceremony, each on their own. */
export interface TypedFingerprints {
  /** `sm3:<hex>` and `sha256:<hex>` of the certificate of one anchor. */
  readonly sm3: string;
  readonly sha256: string;
}

/**
 * P4: two operators at the device vouch for an anchor by the fingerprints of its certificate; the manifest that lists it
 * is taken as it is, whatever version it has.
 * @throws KmcError E_TRUST (fingerprint, and what every manifest must keep), E_SAME_PERSON.
 */
export function acceptByFingerprint(
  manifest: Manifest,
  typed: readonly [TypedFingerprints, TypedFingerprints],
  operators: readonly [string, string],
  now: Date,
): TrustState {
  if (operators[0] === operators[1]) {
    throw new KmcError('E_SAME_PERSON', 'Two operators type the fingerprints, each on their own.');
  }
  requireWhole(manifest, now);
  const fits = manifest.body.anchors.some((anchor) => {
    const { der } = anchorCertificate(anchor);
    const found = { sm3: sm3Fingerprint(der), sha256: `sha256:${sha256(der).toString('hex')}` };
    return (
      anchor.state !== 'DISTRUSTED' && typed.every((each) => each.sm3 === found.sm3 && each.sha256 === found.sha256)
    );
  });
  if (!fits) throw trustRefusal('fingerprint', 'No anchor of the manifest has the fingerprints that were typed.');
  return begin(manifest, now);
}
