/** The kinds of certificate that this product issues, and what must hold for each: data for the rules. */
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import type { KeyUsageName } from '../extensions/key-usage.ts';

export interface CertificateKindFacts {
  readonly ca: boolean;
  /** Issuer and subject are the same, and the key signs its own certificate. */
  readonly selfIssued: boolean;
  readonly keyAlgorithms: readonly KeyAlgorithmName[];
  /** keyUsage must be exactly one of these sets, in bit order. */
  readonly keyUsages: readonly (readonly KeyUsageName[])[];
  /**
   * extendedKeyUsage must be exactly these purposes; `none` forbids it, `free` leaves it open, `private` wants exactly one
   * purpose of our own, critical.
   */
  readonly purposes: readonly string[] | 'none' | 'free' | 'private';
  /** subjectAltName must hold a dNSName. */
  readonly dnsName: boolean;
  /** Longest validity in days; absent where policy alone decides. */
  readonly maxDays?: number;
}

const CA_USAGE: readonly (readonly KeyUsageName[])[] = [['keyCertSign', 'cRLSign']];
const SIGNING_USAGE: readonly (readonly KeyUsageName[])[] = [['digitalSignature', 'nonRepudiation']];
const ENCRYPTION_USAGE: readonly (readonly KeyUsageName[])[] = [
  ['keyEncipherment', 'dataEncipherment', 'keyAgreement'],
];
const SIGNATURE_ONLY: readonly (readonly KeyUsageName[])[] = [['digitalSignature']];
const TLS_BOTH_SIDES = [OID.serverAuth, OID.clientAuth] as const;

/** GmSSL refuses any certificate of a chain that is valid for longer. */
export const GMSSL_MAX_DAYS = 3_653;

const CA_DEFAULTS = { ca: true, keyUsages: CA_USAGE, purposes: 'none', dnsName: false } as const;
const SM2_SIGNER = {
  ca: false,
  selfIssued: false,
  keyAlgorithms: ['SM2'],
  keyUsages: SIGNING_USAGE,
  purposes: 'free',
  dnsName: false,
} as const;

const GATEWAY = { purposes: TLS_BOTH_SIDES, dnsName: true, maxDays: GMSSL_MAX_DAYS } as const;

const KINDS = {
  /** A root of the SM2 or of an RSA hierarchy. */
  root: { ...CA_DEFAULTS, selfIssued: true, keyAlgorithms: ['SM2', 'RSA'] },
  issuing: { ...CA_DEFAULTS, selfIssued: false, keyAlgorithms: ['SM2', 'RSA'] },
  /** A link between two roots: NewWithOld, OldWithNew. */
  cross: { ...CA_DEFAULTS, selfIssued: false, keyAlgorithms: ['SM2', 'RSA'] },
  'administrator-root': { ...CA_DEFAULTS, selfIssued: true, keyAlgorithms: ['SM2'] },
  'transport-root': { ...CA_DEFAULTS, selfIssued: true, keyAlgorithms: ['EC-P256'] },
  'legacy-root': { ...CA_DEFAULTS, selfIssued: true, keyAlgorithms: ['RSA'] },
  'legacy-issuing': { ...CA_DEFAULTS, selfIssued: false, keyAlgorithms: ['RSA'] },
  /** The two certificates of a TLCP gateway (GM/T 0024, GB/T 38636). */
  'gateway-sign': { ...SM2_SIGNER, ...GATEWAY },
  'gateway-enc': { ...SM2_SIGNER, ...GATEWAY, keyUsages: ENCRYPTION_USAGE },
  /** A short-lived certificate that a device must accept before it counts as ready. */
  canary: { ...SM2_SIGNER, dnsName: true, maxDays: 2 },
  application: SM2_SIGNER,
  /** A person with an account. */
  administrator: SM2_SIGNER,
  /** The self-signed certificate of one of the first people, before there is an administrator CA. */
  person: { ...SM2_SIGNER, selfIssued: true },
  /** A side of the GM/T 0014 protocol. */
  communication: SM2_SIGNER,
  'audit-log': SM2_SIGNER,
  /** The encryption certificate that a judicial recovery answers to. */
  evidence: { ...SM2_SIGNER, keyUsages: ENCRYPTION_USAGE },
  'bundle-signer': { ...SM2_SIGNER, keyAlgorithms: ['SM2', 'RSA'], keyUsages: SIGNATURE_ONLY, purposes: 'private' },
  ocsp: {
    ...SM2_SIGNER,
    keyAlgorithms: ['SM2', 'RSA', 'EC-P256'],
    keyUsages: [...SIGNATURE_ONLY, ...SIGNING_USAGE],
    purposes: [OID.ocspSigning],
    maxDays: 90,
  },
  /** The service's own TLS certificate. */
  transport: {
    ...SM2_SIGNER,
    keyAlgorithms: ['EC-P256', 'RSA'],
    keyUsages: SIGNATURE_ONLY,
    purposes: [OID.serverAuth],
    dnsName: true,
    maxDays: 366,
  },
  /** A gateway certificate from before the upgrade: one key for both uses. */
  legacy: {
    ...SM2_SIGNER,
    keyAlgorithms: ['RSA', 'EC-P256'],
    keyUsages: [
      ['digitalSignature', 'keyEncipherment'],
      ['digitalSignature', 'nonRepudiation', 'keyEncipherment'],
    ],
  },
} as const satisfies Readonly<Record<string, CertificateKindFacts>>;

export type CertificateKind = keyof typeof KINDS;

/** What must hold for each kind. */
export const CERTIFICATE_KINDS: Readonly<Record<CertificateKind, CertificateKindFacts>> = KINDS;

/** True when `name` is a kind of certificate of this product. */
export function isCertificateKind(name: string): name is CertificateKind {
  return Object.hasOwn(KINDS, name);
}

export const ALL_KINDS: readonly CertificateKind[] = Object.keys(KINDS).filter(isCertificateKind);
const having = (holds: (facts: CertificateKindFacts) => boolean): readonly CertificateKind[] =>
  ALL_KINDS.filter((kind) => holds(CERTIFICATE_KINDS[kind]));

export const CA_KINDS = having(({ ca }) => ca);
export const END_ENTITY_KINDS = having(({ ca }) => !ca);
export const SELF_ISSUED_KINDS = having(({ selfIssued }) => selfIssued);
export const ISSUED_KINDS = having(({ selfIssued }) => !selfIssued);
export const DNS_NAME_KINDS = having(({ dnsName }) => dnsName);
/** The kinds that other parties' software looks at: GM/T 0015 is kept to the letter. */
export const GM_PROFILE_KINDS: readonly CertificateKind[] = [
  'gateway-sign',
  'gateway-enc',
  'application',
  'communication',
];
/** The kinds that only this system and its people look at: the same is advised. */
export const INTERNAL_KINDS: readonly CertificateKind[] = ['administrator', 'audit-log', 'evidence', 'bundle-signer'];
