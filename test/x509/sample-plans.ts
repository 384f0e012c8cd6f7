/** Keys, and one plan that keeps every rule for each kind of certificate: the good case of the rules and the start of the bad ones. */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, signMessage } from '../../src/crypto/algorithms.ts';
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../../src/crypto/algorithms.ts';
import { children, decodeDer, sequence } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import type { PrivateKey } from '../../src/crypto/private-key.ts';
import { keyIdentifierSha1 } from '../../src/crypto/spki.ts';
import { assembleCertificate, encodeTbsCertificate, parseCertificate } from '../../src/x509/certificate.ts';
import type { Certificate, CertificatePlan } from '../../src/x509/certificate.ts';
import { accessByUri, cpsQualifier, distributionPointsOf } from '../../src/x509/extensions/access.ts';
import { extensionOf, EXTENSIONS } from '../../src/x509/extensions.ts';
import type { Extension } from '../../src/x509/extensions.ts';
import { CERTIFICATE_KINDS } from '../../src/x509/lint/certificate-kinds.ts';
import type { CertificateKind } from '../../src/x509/lint/certificate-kinds.ts';
import { encodeName } from '../../src/x509/name.ts';

async function newKey(algorithm: KeyAlgorithmName): Promise<PrivateKey> {
  return parsePkcs8((await KEY_ALGORITHMS[algorithm].generateKeyPair(algorithm === 'RSA' ? 2048 : undefined)).pkcs8);
}

/** One CA key and one subject key of each kind. */
export const KEYS = {
  ca: { SM2: await newKey('SM2'), 'EC-P256': await newKey('EC-P256'), RSA: await newKey('RSA') },
  subject: { SM2: await newKey('SM2'), 'EC-P256': await newKey('EC-P256'), RSA: await newKey('RSA') },
  /** A second SM2 key of the same subject, for encryption. */
  encryption: await newKey('SM2'),
} as const;

export const SIGNATURE_OF: Readonly<Record<KeyAlgorithmName, SignatureAlgorithmName>> = {
  SM2: 'SM2-SM3',
  'EC-P256': 'ECDSA-P256-SHA256',
  RSA: 'RSA-SHA256',
};

const NOT_BEFORE = new Date('2026-01-01T00:00:00Z');
const MILLISECONDS_A_DAY = 86_400_000;
const after = (days: number): Date => new Date(NOT_BEFORE.getTime() + days * MILLISECONDS_A_DAY);

export const CA_NAME = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'O', value: '国家密钥管理中心' },
  { type: 'CN', value: 'Sample CA G2' },
]);
export const SUBJECT_NAME = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'O', value: '政务外网' },
  { type: 'CN', value: 'gw-001 网关' },
]);

const BASE = 'http://kmc.example.gov.cn';

export const ACCESS: readonly Extension[] = [
  extensionOf(EXTENSIONS.certificatePolicies, [
    { policyIdentifier: '1.2.156.999.1', qualifiers: [cpsQualifier(`${BASE}/cps`)] },
  ]),
  extensionOf(EXTENSIONS.crlDistributionPoints, distributionPointsOf([`${BASE}/crl/11.crl`, `${BASE}/crl/all.crl`])),
  extensionOf(EXTENSIONS.authorityInfoAccess, [
    accessByUri(OID.caIssuers, `${BASE}/ca.crt`),
    accessByUri(OID.ocsp, `${BASE}/ocsp`),
  ]),
];

/** The octets of a CA certificate are issued by itself here: enough for the rules that compare with the issuer. */
function caPlan(algorithm: KeyAlgorithmName): CertificatePlan {
  return {
    serialNumber: Buffer.from('0102030405060708', 'hex'),
    signatureAlgorithm: SIGNATURE_OF[algorithm],
    issuer: CA_NAME,
    subject: CA_NAME,
    notBefore: NOT_BEFORE,
    notAfter: after(3650),
    spki: KEYS.ca[algorithm].spki,
    extensions: [
      extensionOf(EXTENSIONS.subjectKeyIdentifier, keyIdentifierSha1(KEYS.ca[algorithm].spki)),
      extensionOf(EXTENSIONS.basicConstraints, { ca: true }),
      extensionOf(EXTENSIONS.keyUsage, ['keyCertSign', 'cRLSign']),
      extensionOf(EXTENSIONS.subjectInfoAccess, [accessByUri(OID.caRepository, `${BASE}/ca`)]),
    ],
  };
}

/** Signs a plan and reads the certificate back. */
export function issue(plan: CertificatePlan, key: PrivateKey): Certificate {
  const tbs = encodeTbsCertificate(plan);
  const signature = signMessage(plan.signatureAlgorithm, key, tbs);
  return parseCertificate(assembleCertificate(tbs, plan.signatureAlgorithm, signature));
}

/** The certificate of the CA with a key of this kind. */
export const CA_CERTIFICATES: Readonly<Record<KeyAlgorithmName, Certificate>> = {
  SM2: issue(caPlan('SM2'), KEYS.ca.SM2),
  'EC-P256': issue(caPlan('EC-P256'), KEYS.ca['EC-P256']),
  RSA: issue(caPlan('RSA'), KEYS.ca.RSA),
};

function purposesOf(kind: CertificateKind): Extension[] {
  const { purposes } = CERTIFICATE_KINDS[kind];
  if (purposes === 'none' || purposes === 'free') return [];
  if (purposes === 'private') return [extensionOf(EXTENSIONS.extendedKeyUsage, ['1.2.156.999.2'], true)];
  return [extensionOf(EXTENSIONS.extendedKeyUsage, purposes)];
}

function subjectAltNameOf(kind: CertificateKind): Extension[] {
  return CERTIFICATE_KINDS[kind].dnsName
    ? [extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'gw-001.example.gov.cn' }])]
    : [];
}

/** A plan of this kind that keeps every rule and earns no warning. */
export function samplePlan(kind: CertificateKind): CertificatePlan {
  const facts = CERTIFICATE_KINDS[kind];
  const algorithm = facts.keyAlgorithms[0] ?? 'SM2';
  const ca = caPlan(algorithm);
  if (facts.ca && facts.selfIssued) return ca;
  const spki = (kind === 'gateway-enc' ? KEYS.encryption : KEYS.subject[algorithm]).spki;
  const keyIdentifier = keyIdentifierSha1(ca.spki);
  return {
    ...ca,
    serialNumber: Buffer.from(kind === 'gateway-enc' ? '1112131415161718' : '2122232425262728', 'hex'),
    issuer: facts.selfIssued ? SUBJECT_NAME : CA_NAME,
    subject: SUBJECT_NAME,
    notAfter: after(Math.min(facts.maxDays ?? 3650, 3650)),
    spki,
    extensions: [
      ...(facts.selfIssued ? [] : [extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier })]),
      extensionOf(EXTENSIONS.subjectKeyIdentifier, keyIdentifierSha1(spki)),
      ...(facts.ca ? [extensionOf(EXTENSIONS.basicConstraints, { ca: true, pathLength: 0 })] : []),
      extensionOf(EXTENSIONS.keyUsage, facts.keyUsages[0] ?? []),
      ...purposesOf(kind),
      ...subjectAltNameOf(kind),
      ...ACCESS,
      ...(kind === 'ocsp' ? [extensionOf(EXTENSIONS.ocspNoCheck, true)] : []),
    ],
  };
}

/** The certificate that issues a sample of this kind; undefined for a self-issued one. */
export function issuerOf(kind: CertificateKind): Certificate | undefined {
  const { selfIssued, keyAlgorithms } = CERTIFICATE_KINDS[kind];
  return selfIssued ? undefined : CA_CERTIFICATES[keyAlgorithms[0] ?? 'SM2'];
}

/** The plan with one extension put in the place of the one with its OID, or added. */
export function withExtension(plan: CertificatePlan, extension: Extension): CertificatePlan {
  return { ...plan, extensions: [...without(plan, extension.oid).extensions, extension] };
}

/** The plan without the extension of that OID. */
export function without(plan: CertificatePlan, oid: string): CertificatePlan {
  return { ...plan, extensions: plan.extensions.filter((extension) => extension.oid !== oid) };
}

/** DER with the elements `replaced` (by position) in the place of those of the SEQUENCE `der`; undefined removes one. */
export function withFields(der: Buffer, replaced: Readonly<Record<number, Buffer | undefined>>): Buffer {
  const fields = children(decodeDer(der, { maxBytes: der.length })).map(({ encoded }, position) =>
    position in replaced ? replaced[position] : encoded,
  );
  return sequence(...fields.filter((field) => field !== undefined));
}

/** AlgorithmIdentifier DER as this product writes it. */
export const identifierOf = (name: SignatureAlgorithmName): Buffer => SIGNATURE_ALGORITHMS[name].identifier;

/** The plan that would give this certificate again. */
export function planOf(certificate: Certificate): CertificatePlan {
  return {
    ...certificate,
    serialNumber: Buffer.from(certificate.serialNumber, 'hex'),
    issuer: certificate.issuer.der,
    subject: certificate.subject.der,
  };
}
