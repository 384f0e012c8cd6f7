/**
 * Certificate profiles (gm-standards 5): a profile is data and says validity, key usage and extensions; together with
 * the facts of one certificate it gives the plan that is linted and signed. The data stands in policies/profiles.yaml.
 */
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../crypto/algorithms.ts';
import { OID } from '../crypto/asn1/oids.ts';
import { keyIdentifierSha1, parseSpki } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';
import { EXTENSIONS, extensionOf, type Extension } from '../x509/extensions.ts';
import { accessByUri, distributionPointsOf } from '../x509/extensions/access.ts';
import type { GeneralName } from '../x509/extensions/general-name.ts';
import type { KeyUsageName } from '../x509/extensions/key-usage.ts';
import type { CertificateKind } from '../x509/lint/certificate-kinds.ts';
import type { CertificatePlan } from '../x509/tbs-certificate.ts';
import { COMPLETE, crlAddress } from './crl-scope.ts';

/** The profiles that the service itself asks for; policy may hold more. */
export const REQUIRED_PROFILES = [
  'root',
  'issuing',
  'link',
  'gateway-sign',
  'gateway-enc',
  'application',
  'administrator-ca',
  'administrator',
  'ocsp',
  'transport-root',
  'transport',
  'audit-log',
  'communication',
  'evidence-carrier',
  'canary',
  'bundle-signer',
  'legacy-root',
  'legacy-issuing',
  'legacy-gateway',
] as const;
export type RequiredProfile = (typeof REQUIRED_PROFILES)[number];

/** The purposes of extendedKeyUsage that a profile may name. The OID of `bundleSigner` is policy's own. */
export const KEY_PURPOSES = ['serverAuth', 'clientAuth', 'ocspSigning', 'bundleSigner'] as const;
export type KeyPurpose = (typeof KEY_PURPOSES)[number];

/** The extensions that a profile asks for by name; key usage and basicConstraints have members of their own. */
export const PROFILE_EXTENSIONS = [
  'subjectKeyIdentifier',
  'authorityKeyIdentifier',
  'certificatePolicies',
  'cRLDistributionPoints',
  'authorityInfoAccess',
  'subjectInfoAccess',
  'subjectAltName',
  'ocspNoCheck',
] as const;
export type ProfileExtension = (typeof PROFILE_EXTENSIONS)[number];

export interface CertificateProfile {
  /** The kind whose lint rules hold for certificates of this profile. */
  readonly kind: CertificateKind;
  readonly subjectKeys: readonly KeyAlgorithmName[];
  readonly validitySeconds: number;
  /** Present for a CA. */
  readonly ca?: { readonly pathLength?: number };
  readonly keyUsage: readonly KeyUsageName[];
  readonly keyPurposes: readonly KeyPurpose[];
  readonly keyPurposesCritical: boolean;
  readonly extensions: readonly ProfileExtension[];
  /** Its CRL is that of the region of its device: certificates name it before the complete one (C.2). */
  readonly crlShards: boolean;
}

/** Where relying parties find things: base addresses without a final slash, and OIDs of our own arc. */
export interface PublicationPolicy {
  readonly crl: string;
  readonly ocsp: string;
  readonly caIssuers: string;
  readonly caRepository: string;
  /** Dotted OID of the certificate policy. */
  readonly certificatePolicy: string;
  /** Dotted OID of the extended key usage of bundle-signers (A.3, version 1). */
  readonly bundleSigner: string;
}

export interface CertificateIssuer {
  /** Id of the certification authority: it stands in the addresses. */
  readonly id: string;
  /** Name DER. */
  readonly name: Buffer;
  /** Its subjectKeyIdentifier. */
  readonly keyIdentifier: Buffer;
  readonly signatureAlgorithm: SignatureAlgorithmName;
  /** End of its own certificate; absent for a certificate that signs itself. */
  readonly notAfter?: Date;
}

export interface CertificateFacts {
  /** Magnitude, big-endian, 8 to 20 octets. */
  readonly serialNumber: Buffer;
  readonly issuer: CertificateIssuer;
  /** Name DER. */
  readonly subject: Buffer;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** subjectKeyIdentifier; by default SHA-1 of the key bits. */
  readonly keyIdentifier?: Buffer;
  readonly notBefore: Date;
  /** By default the validity of the profile, and never beyond the issuer. */
  readonly notAfter?: Date;
  readonly subjectAltName?: readonly GeneralName[];
  /** Shard of the CRL, fixed at issuance (C.2): the code of the region. */
  readonly shard?: string;
}

/**
 * The plan of a certificate under a profile.
 * @throws KmcError E_POLICY when the key algorithm, the validity or the names do not fit the profile; E_KEY, E_POINT,
 * E_DER for a bad public key.
 */
export function planCertificate(
  profile: CertificateProfile,
  publication: PublicationPolicy,
  facts: CertificateFacts,
): CertificatePlan {
  const { algorithm } = parseSpki(facts.spki);
  if (!profile.subjectKeys.includes(algorithm)) {
    throw new KmcError(
      'E_POLICY',
      `The profile is for ${profile.subjectKeys.join(' or ')} keys, not for ${algorithm}.`,
    );
  }
  return {
    serialNumber: facts.serialNumber,
    signatureAlgorithm: facts.issuer.signatureAlgorithm,
    issuer: facts.issuer.name,
    subject: facts.subject,
    notBefore: facts.notBefore,
    notAfter: endOfValidity(profile, facts),
    spki: facts.spki,
    extensions: extensionsOf(profile, publication, facts),
  };
}

function endOfValidity(profile: CertificateProfile, facts: CertificateFacts): Date {
  const longest = new Date(facts.notBefore.getTime() + profile.validitySeconds * 1000);
  const issuerEnd = facts.issuer.notAfter;
  const bound = issuerEnd !== undefined && issuerEnd < longest ? issuerEnd : longest;
  const end = facts.notAfter ?? bound;
  if (end > bound) throw new KmcError('E_POLICY', 'The end of validity lies beyond the profile or beyond the issuer.');
  if (end <= facts.notBefore) throw new KmcError('E_POLICY', 'The certificate would end before it begins.');
  return end;
}

function extensionsOf(
  profile: CertificateProfile,
  publication: PublicationPolicy,
  facts: CertificateFacts,
): Extension[] {
  if (facts.subjectAltName !== undefined && !profile.extensions.includes('subjectAltName')) {
    throw new KmcError('E_POLICY', 'The profile holds no alternative names.');
  }
  return fixedExtensions(profile, publication, facts).map((extension) =>
    typeof extension === 'string' ? EXTENSION_BUILDERS[extension](publication, facts) : extension,
  );
}

/** The extensions that differ from certificate to certificate of one issuer, profile and shard. */
const OWN_EXTENSIONS: readonly ProfileExtension[] = ['subjectKeyIdentifier', 'subjectAltName'];

interface FixedExtensions {
  readonly publication: PublicationPolicy;
  readonly shard: string | undefined;
  readonly extensions: readonly (Extension | ProfileExtension)[];
}

/** What was written last for an issuer and a profile: the same octets stand in each of their certificates. */
const FIXED = new WeakMap<CertificateIssuer, WeakMap<CertificateProfile, FixedExtensions>>();

/** The extensions of a profile in their order; those of `OWN_EXTENSIONS` by name, still to be built. */
function fixedExtensions(
  profile: CertificateProfile,
  publication: PublicationPolicy,
  facts: CertificateFacts,
): readonly (Extension | ProfileExtension)[] {
  const { issuer, shard } = facts;
  const ofIssuer = FIXED.get(issuer) ?? new WeakMap<CertificateProfile, FixedExtensions>();
  const known = ofIssuer.get(profile);
  if (known?.publication === publication && known.shard === shard) return known.extensions;
  const extensions = buildFixedExtensions(profile, publication, facts);
  FIXED.set(issuer, ofIssuer.set(profile, { publication, shard, extensions }));
  return extensions;
}

function buildFixedExtensions(
  profile: CertificateProfile,
  publication: PublicationPolicy,
  facts: CertificateFacts,
): (Extension | ProfileExtension)[] {
  return [
    ...(profile.ca === undefined ? [] : [extensionOf(EXTENSIONS.basicConstraints, { ca: true, ...profile.ca })]),
    extensionOf(EXTENSIONS.keyUsage, profile.keyUsage),
    ...(profile.keyPurposes.length === 0
      ? []
      : [
          extensionOf(
            EXTENSIONS.extendedKeyUsage,
            profile.keyPurposes.map((purpose) => keyPurposeOid(purpose, publication)),
            profile.keyPurposesCritical,
          ),
        ]),
    ...profile.extensions.map((name) =>
      OWN_EXTENSIONS.includes(name) ? name : EXTENSION_BUILDERS[name](publication, facts),
    ),
  ];
}

/** The dotted OID of a purpose. */
function keyPurposeOid(purpose: KeyPurpose, publication: PublicationPolicy): string {
  return purpose === 'bundleSigner' ? publication.bundleSigner : OID[purpose];
}

/** Addresses of the CRLs that cover a certificate: its shard first, then the complete one (C.2). */
export function crlAddresses(publication: PublicationPolicy, issuerId: string, shard?: string): string[] {
  const scopes = shard === undefined ? [COMPLETE] : [shard, COMPLETE];
  return scopes.map((scope) => crlAddress(publication, issuerId, scope));
}

/** Address of the certificate of a CA, DER. */
function caCertificateAddress(publication: PublicationPolicy, issuerId: string): string {
  return `${publication.caIssuers}/${issuerId}.cer`;
}

type ExtensionBuilder = (publication: PublicationPolicy, facts: CertificateFacts) => Extension;

const EXTENSION_BUILDERS: Readonly<Record<ProfileExtension, ExtensionBuilder>> = {
  subjectKeyIdentifier: (_publication, facts) =>
    extensionOf(EXTENSIONS.subjectKeyIdentifier, facts.keyIdentifier ?? keyIdentifierSha1(facts.spki)),
  authorityKeyIdentifier: (_publication, facts) =>
    extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: facts.issuer.keyIdentifier }),
  certificatePolicies: (publication) =>
    extensionOf(EXTENSIONS.certificatePolicies, [{ policyIdentifier: publication.certificatePolicy }]),
  cRLDistributionPoints: (publication, facts) =>
    extensionOf(
      EXTENSIONS.crlDistributionPoints,
      distributionPointsOf(crlAddresses(publication, facts.issuer.id, facts.shard)),
    ),
  authorityInfoAccess: (publication, facts) =>
    extensionOf(EXTENSIONS.authorityInfoAccess, [
      accessByUri(OID.caIssuers, caCertificateAddress(publication, facts.issuer.id)),
      accessByUri(OID.ocsp, publication.ocsp),
    ]),
  subjectInfoAccess: (publication) =>
    extensionOf(EXTENSIONS.subjectInfoAccess, [accessByUri(OID.caRepository, publication.caRepository)]),
  subjectAltName: (_publication, facts) => {
    if (facts.subjectAltName === undefined || facts.subjectAltName.length === 0) {
      throw new KmcError('E_POLICY', 'The profile asks for an alternative name. Give at least one dNSName.');
    }
    return extensionOf(EXTENSIONS.subjectAltName, facts.subjectAltName);
  },
  ocspNoCheck: () => extensionOf(EXTENSIONS.ocspNoCheck, true),
};

/** The hierarchy that issues under a profile, by the kind of key of its authorities: SM2 keys under SM2, others under RSA. */
export function hierarchyOf(profile: CertificateProfile): KeyAlgorithmName {
  return profile.subjectKeys.includes('SM2') ? 'SM2' : 'RSA';
}

/** What must be alike in a signing and an encryption profile that are issued as a pair (gm-standards 5.3). */
export function pairFaults(sign: CertificateProfile, enc: CertificateProfile): string[] {
  const same = (a: readonly string[], b: readonly string[]): boolean => a.join() === b.join();
  const faults: [boolean, string][] = [
    [same(sign.subjectKeys, enc.subjectKeys), 'the key algorithms differ'],
    [sign.validitySeconds === enc.validitySeconds, 'the validities differ'],
    [same(sign.keyPurposes, enc.keyPurposes), 'the extended key usages differ'],
    [same(sign.extensions, enc.extensions), 'the extensions differ'],
    [sign.crlShards === enc.crlShards, 'only one half has CRLs by region'],
    [sign.keyUsage.includes('digitalSignature'), 'the signing half lacks digitalSignature'],
    [!sign.keyUsage.some((usage) => ENCRYPTION_USAGES.includes(usage)), 'the signing half may encrypt'],
    [enc.keyUsage.includes('keyEncipherment'), 'the encryption half lacks keyEncipherment'],
    [!enc.keyUsage.some((usage) => SIGNING_USAGES.includes(usage)), 'the encryption half may sign'],
    [sign.ca === undefined && enc.ca === undefined, 'a half is a CA'],
  ];
  return faults.flatMap(([holds, fault]) => (holds ? [] : [fault]));
}

const ENCRYPTION_USAGES: readonly KeyUsageName[] = ['keyEncipherment', 'dataEncipherment', 'keyAgreement'];
const SIGNING_USAGES: readonly KeyUsageName[] = ['digitalSignature', 'nonRepudiation', 'keyCertSign', 'cRLSign'];
