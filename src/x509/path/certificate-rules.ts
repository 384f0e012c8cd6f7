import { OID, oidName } from '../../crypto/asn1/oids.ts';
import type { Certificate } from '../certificate.ts';
import { findExtension } from '../extensions.ts';
import { isConformingSerialNumber } from '../serial-number.ts';
import { isSelfIssued, pathReason } from './path-reason.ts';
import type { PathReason } from './path-reason.ts';

/** Where a certificate stands in its chain. */
export interface ChainPosition {
  /** Some certificate below it is signed with its key. */
  readonly isIssuer: boolean;
  readonly isAnchor: boolean;
}

type CertificateRule = (certificate: Certificate, position: ChainPosition, at: Date) => PathReason | undefined;

/** Extensions whose meaning this validation takes into account, so that they may be critical. */
const PROCESSED: ReadonlySet<string> = new Set([
  OID.authorityInfoAccess,
  OID.authorityKeyIdentifier,
  OID.basicConstraints,
  OID.certificatePolicies,
  OID.crlDistributionPoints,
  OID.extendedKeyUsage,
  OID.keyUsage,
  OID.nameConstraints,
  OID.ocspNoCheck,
  OID.subjectAltName,
  OID.subjectInfoAccess,
  OID.subjectKeyIdentifier,
]);

const NEVER_CRITICAL: readonly string[] = [
  OID.authorityInfoAccess,
  OID.authorityKeyIdentifier,
  OID.subjectInfoAccess,
  OID.subjectKeyIdentifier,
];
const ALWAYS_CRITICAL: readonly string[] = [OID.inhibitAnyPolicy, OID.nameConstraints, OID.policyConstraints];

/** RFC 5280 4.1.2.5: the ends of the period are part of it; certificates count whole seconds. */
function wholeSecond(at: Date): number {
  return Math.floor(at.getTime() / 1000) * 1000;
}

const notYetValid: CertificateRule = (certificate, _position, at) =>
  wholeSecond(at) < certificate.notBefore.getTime()
    ? pathReason('not-yet-valid', certificate, `is valid only from ${certificate.notBefore.toISOString()}`)
    : undefined;

const expired: CertificateRule = (certificate, _position, at) =>
  wholeSecond(at) > certificate.notAfter.getTime()
    ? pathReason('expired', certificate, `was valid only until ${certificate.notAfter.toISOString()}`)
    : undefined;

const serialNumber: CertificateRule = (certificate, { isAnchor }) =>
  isAnchor || isConformingSerialNumber(certificate.serialNumber)
    ? undefined
    : pathReason('serial-number', certificate, 'has a serial number that is not positive or above 20 octets');

const notACa: CertificateRule = (certificate, { isIssuer }) =>
  isIssuer && certificate.basicConstraints?.ca !== true
    ? pathReason('not-a-ca', certificate, 'is used to issue but is not a CA certificate')
    : undefined;

const keyCertSign: CertificateRule = (certificate, { isIssuer }) =>
  isIssuer && certificate.keyUsage?.includes('keyCertSign') === false
    ? pathReason('key-cert-sign', certificate, 'is used to issue but its keyUsage lacks keyCertSign')
    : undefined;

const caInconsistent: CertificateRule = (certificate) =>
  certificate.keyUsage?.includes('keyCertSign') === true && certificate.basicConstraints?.ca !== true
    ? pathReason('ca-inconsistent', certificate, 'has keyUsage keyCertSign but is not a CA certificate')
    : undefined;

const unknownCritical: CertificateRule = (certificate) => {
  const unknown = certificate.extensions.find(({ oid, critical }) => critical && !PROCESSED.has(oid));
  return unknown === undefined
    ? undefined
    : pathReason(
        'unknown-critical',
        certificate,
        `has the critical extension ${oidName(unknown.oid)}, not processed here`,
      );
};

const wrongCriticality: CertificateRule = (certificate, { isIssuer }) => {
  const wrong = certificate.extensions.find(
    ({ oid, critical }) =>
      (critical && NEVER_CRITICAL.includes(oid)) ||
      (!critical && (ALWAYS_CRITICAL.includes(oid) || (isIssuer && oid === OID.basicConstraints))),
  );
  return wrong === undefined
    ? undefined
    : pathReason(
        'wrong-criticality',
        certificate,
        `marks ${oidName(wrong.oid)} ${wrong.critical ? '' : 'not '}critical`,
      );
};

const nameConstraintsPlace: CertificateRule = (certificate) =>
  certificate.basicConstraints?.ca !== true && findExtension(certificate.extensions, OID.nameConstraints) !== undefined
    ? pathReason('name-constraints-place', certificate, 'has nameConstraints but is not a CA certificate')
    : undefined;

const authorityKeyIdentifier: CertificateRule = (certificate) =>
  certificate.akid === undefined && !isSelfIssued(certificate)
    ? pathReason('authority-key-identifier', certificate, 'has no authorityKeyIdentifier with a keyIdentifier')
    : undefined;

const subjectKeyIdentifier: CertificateRule = (certificate) =>
  certificate.skid === undefined && certificate.basicConstraints?.ca === true
    ? pathReason('subject-key-identifier', certificate, 'is a CA certificate without subjectKeyIdentifier')
    : undefined;

/** A signature over SHA-1 can be forged by a collision; an anchor is not believed for its own signature. */
const weakSignature: CertificateRule = (certificate, { isAnchor }) =>
  !isAnchor && certificate.signatureAlgorithm === 'RSA-SHA1'
    ? pathReason('weak-signature', certificate, 'is signed with SHA-1')
    : undefined;

const CERTIFICATE_RULES: readonly CertificateRule[] = [
  notYetValid,
  expired,
  serialNumber,
  notACa,
  keyCertSign,
  caInconsistent,
  unknownCritical,
  wrongCriticality,
  nameConstraintsPlace,
  authorityKeyIdentifier,
  subjectKeyIdentifier,
  weakSignature,
];

/** Every rule on one certificate by itself that `certificate` breaks at the time `at`. */
export function certificateReasons(certificate: Certificate, position: ChainPosition, at: Date): PathReason[] {
  return CERTIFICATE_RULES.map((rule) => rule(certificate, position, at)).filter((reason) => reason !== undefined);
}

/**
 * Where `chain` (leaf first) is longer than a pathLenConstraint in it allows. Self-issued certificates and the leaf do not
 * count (RFC 5280 4.2.1.9).
 */
export function pathLengthReasons(chain: readonly Certificate[]): PathReason[] {
  const reasons: PathReason[] = [];
  let remaining = Number.POSITIVE_INFINITY;
  for (const [depth, certificate] of chain.slice(1).toReversed().entries()) {
    const counts = depth > 0 && !isSelfIssued(certificate);
    if (counts && remaining <= 0) {
      reasons.push(pathReason('path-length', certificate, 'stands deeper than a pathLenConstraint above it allows'));
    }
    if (counts) remaining -= 1;
    remaining = Math.min(remaining, certificate.basicConstraints?.pathLength ?? Number.POSITIVE_INFINITY);
  }
  return reasons;
}
