import { OID, oidName } from '../../crypto/asn1/oids.ts';
import type { Certificate } from '../certificate.ts';
import type { KeyUsageName } from '../extensions/key-usage.ts';
import { pathReason } from './path-reason.ts';
import type { PathReason } from './path-reason.ts';

interface PurposeRule {
  readonly subject: 'ca' | 'end-entity' | 'any';
  /** Bits that must all be set if there is a keyUsage. */
  readonly allOf?: readonly KeyUsageName[];
  /** Bits of which one must be set if there is a keyUsage. */
  readonly anyOf?: readonly KeyUsageName[];
  /** Whether there must be a keyUsage. */
  readonly keyUsageRequired?: true;
  /** Purposes of which one must be named if there is an extendedKeyUsage, in the certificate and in its CAs. */
  readonly extendedKeyUsage?: readonly string[];
  /** Whether there must be an extendedKeyUsage that names one of them; anyExtendedKeyUsage does not do. */
  readonly extendedKeyUsageRequired?: true;
  /** Whether every key and signature of the path must be SM2 (TLCP peers refuse others). */
  readonly onlySm2?: true;
}

const TLCP = {
  subject: 'end-entity',
  keyUsageRequired: true,
  extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
  onlySm2: true,
} as const;

/** What a certificate may be validated for. */
export const PATH_PURPOSES = {
  /** No demand on the use of the certificate itself. */
  any: { subject: 'any' },
  /** Issues certificates. */
  'issuing-ca': { subject: 'ca', allOf: ['keyCertSign'] },
  /** Signs CRLs with its CA key. */
  'crl-signing': { subject: 'ca', allOf: ['cRLSign'] },
  /** First certificate of a TLCP pair (GM/T 0024). */
  'tlcp-sign': { ...TLCP, allOf: ['digitalSignature'] },
  /** Second certificate of a TLCP pair; GmSSL wants keyEncipherment among its bits. */
  'tlcp-enc': { ...TLCP, allOf: ['keyEncipherment'] },
  'tls-server': { subject: 'end-entity', allOf: ['digitalSignature'], extendedKeyUsage: [OID.serverAuth] },
  'tls-client': { subject: 'end-entity', allOf: ['digitalSignature'], extendedKeyUsage: [OID.clientAuth] },
  /** Delegated OCSP responder (RFC 6960 4.2.2.2). */
  'ocsp-signing': {
    subject: 'end-entity',
    allOf: ['digitalSignature'],
    extendedKeyUsage: [OID.ocspSigning],
    extendedKeyUsageRequired: true,
  },
  /** Signs messages: requests, approvals, manifests. */
  signature: { subject: 'end-entity', anyOf: ['digitalSignature', 'nonRepudiation'] },
  /** Keys are encrypted to it. */
  'key-encipherment': { subject: 'end-entity', anyOf: ['keyEncipherment', 'dataEncipherment', 'keyAgreement'] },
} as const satisfies Readonly<Record<string, PurposeRule>>;
export type PathPurpose = keyof typeof PATH_PURPOSES;

const RULES: Readonly<Record<PathPurpose, PurposeRule>> = PATH_PURPOSES;

function subjectReasons(leaf: Certificate, rule: PurposeRule): PathReason[] {
  const isCa = leaf.basicConstraints?.ca === true;
  if (rule.subject === 'ca' && !isCa) return [pathReason('purpose-ca', leaf, 'is not a CA certificate')];
  if (rule.subject === 'end-entity' && isCa) return [pathReason('purpose-ca', leaf, 'is a CA certificate')];
  return [];
}

function keyUsageReasons(leaf: Certificate, rule: PurposeRule): PathReason[] {
  const { keyUsage } = leaf;
  if (keyUsage === undefined) {
    return rule.keyUsageRequired ? [pathReason('purpose-key-usage', leaf, 'has no keyUsage')] : [];
  }
  const missing = (rule.allOf ?? []).filter((bit) => !keyUsage.includes(bit));
  if (missing.length > 0) return [pathReason('purpose-key-usage', leaf, `lacks keyUsage ${missing.join(', ')}`)];
  if (rule.anyOf !== undefined && !rule.anyOf.some((bit) => keyUsage.includes(bit))) {
    return [pathReason('purpose-key-usage', leaf, `has none of keyUsage ${rule.anyOf.join(', ')}`)];
  }
  return [];
}

function extendedKeyUsageReasons(certificate: Certificate, rule: PurposeRule, required: boolean): PathReason[] {
  const wanted = rule.extendedKeyUsage;
  if (wanted === undefined) return [];
  const found = certificate.extendedKeyUsage;
  const accepted = required ? wanted : [...wanted, OID.anyExtendedKeyUsage];
  const fits = found === undefined ? !required : accepted.some((purpose) => found.includes(purpose));
  if (fits) return [];
  const names = wanted.map(oidName).join(' or ');
  return [pathReason('purpose-extended-key-usage', certificate, `does not allow extendedKeyUsage ${names}`)];
}

function algorithmReasons(chain: readonly Certificate[], rule: PurposeRule): PathReason[] {
  if (!rule.onlySm2) return [];
  return chain
    .filter(({ keyAlgorithm, signatureAlgorithm }, index) => {
      const isAnchor = index === chain.length - 1 && index > 0;
      return keyAlgorithm !== 'SM2' || (!isAnchor && signatureAlgorithm !== 'SM2-SM3');
    })
    .map((certificate) => pathReason('chain-algorithm', certificate, 'is not SM2 throughout, which TLCP peers refuse'));
}

/** Why the first certificate of `chain` (leaf first, anchor last) is not fit for `purpose`. */
export function purposeReasons(chain: readonly Certificate[], purpose: PathPurpose): PathReason[] {
  const rule = RULES[purpose];
  return chain.flatMap((certificate, index) => {
    if (index > 0) return extendedKeyUsageReasons(certificate, rule, false);
    return [
      ...subjectReasons(certificate, rule),
      ...keyUsageReasons(certificate, rule),
      ...extendedKeyUsageReasons(certificate, rule, rule.extendedKeyUsageRequired === true),
      ...algorithmReasons(chain, rule),
    ];
  });
}
