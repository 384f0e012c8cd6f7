/** Rules over what the key may do: basicConstraints, keyUsage, extendedKeyUsage, criticality. */
import { OID, oidName } from '../../crypto/asn1/oids.ts';
import { findExtension } from '../extensions.ts';
import { ALL_KINDS, CA_KINDS, CERTIFICATE_KINDS, END_ENTITY_KINDS } from './certificate-kinds.ts';
import type { CertificateKindFacts } from './certificate-kinds.ts';
import type { CertificateRule } from './certificate-rule.ts';

/** PKIX purposes; a private purpose stands outside. */
const PKIX_PURPOSE = /^1\.3\.6\.1\.5\.5\.7\.3\./;

function same(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item) => right.includes(item));
}

function purposeFault(
  purposes: readonly string[] | undefined,
  wanted: CertificateKindFacts['purposes'],
): string | undefined {
  if (wanted === 'free') return undefined;
  if (wanted === 'none') return purposes === undefined ? undefined : 'extendedKeyUsage must be absent';
  if (wanted === 'private') {
    return purposes?.length === 1 && !PKIX_PURPOSE.test(purposes[0] ?? '')
      ? undefined
      : 'extendedKeyUsage must be exactly one purpose of our own';
  }
  return same(purposes ?? [], wanted)
    ? undefined
    : `extendedKeyUsage must be exactly ${wanted.map(oidName).join(' and ')}`;
}

/** The extensions that may be critical besides keyUsage, by kind of owner. */
function mayBeCritical(oid: string, facts: CertificateKindFacts): boolean {
  return (
    oid === OID.keyUsage ||
    oid === OID.basicConstraints ||
    (oid === OID.extendedKeyUsage && facts.purposes === 'private')
  );
}

export const USAGE_RULES: readonly CertificateRule[] = [
  {
    id: 'e_ca_basic_constraints',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.9',
    kinds: CA_KINDS,
    check({ certificate: { extensions, basicConstraints } }) {
      const critical = findExtension(extensions, OID.basicConstraints)?.critical === true;
      return critical && basicConstraints?.ca === true ? undefined : 'basicConstraints must be critical with cA TRUE';
    },
  },
  {
    id: 'e_end_entity_basic_constraints',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.9',
    kinds: END_ENTITY_KINDS,
    check: ({ certificate: { basicConstraints } }) =>
      basicConstraints?.ca === true ? 'basicConstraints must be absent or cA FALSE' : undefined,
  },
  {
    id: 'w_path_length',
    severity: 'warning',
    cites: 'RFC 5280 §4.2.1.9',
    kinds: ['issuing', 'legacy-issuing'],
    check: ({ certificate: { basicConstraints } }) =>
      basicConstraints?.pathLength === 0 ? undefined : 'an issuing CA should have pathLenConstraint 0',
  },
  {
    id: 'e_key_usage_critical',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.3, GM/T 0015-2012 keyUsage',
    kinds: ALL_KINDS,
    check: ({ certificate: { extensions } }) =>
      findExtension(extensions, OID.keyUsage)?.critical === true ? undefined : 'keyUsage must be there and critical',
  },
  {
    id: 'e_key_usage_bits',
    severity: 'error',
    cites: 'GM/T 0015-2012 keyUsage (signing C0, encryption 38, CA 06)',
    kinds: ALL_KINDS,
    check: ({ certificate: { keyUsage }, facts }) =>
      facts.keyUsages.some((wanted) => same(keyUsage ?? [], wanted))
        ? undefined
        : `keyUsage must be exactly ${facts.keyUsages.map((wanted) => wanted.join(' and ')).join(', or ')}`,
  },
  {
    id: 'e_extended_key_usage',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.12, GmSSL and Tongsuo peer checks (both purposes on both certificates)',
    kinds: ALL_KINDS,
    check: ({ certificate: { extendedKeyUsage }, facts }) => purposeFault(extendedKeyUsage, facts.purposes),
  },
  {
    id: 'e_any_extended_key_usage',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.12',
    kinds: ALL_KINDS,
    check: ({ certificate: { extendedKeyUsage } }) =>
      extendedKeyUsage?.includes(OID.anyExtendedKeyUsage) === true ? 'anyExtendedKeyUsage must not be used' : undefined,
  },
  {
    id: 'e_private_purpose_critical',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.12',
    kinds: ALL_KINDS.filter((kind) => CERTIFICATE_KINDS[kind].purposes === 'private'),
    check: ({ certificate: { extensions } }) =>
      findExtension(extensions, OID.extendedKeyUsage)?.critical === true
        ? undefined
        : 'the private purpose must be critical, so that nobody takes the certificate for another',
  },
  {
    id: 'e_criticality',
    severity: 'error',
    cites: 'GM/T 0015-2012 (all extensions non-critical but keyUsage), RFC 5280 §4.2',
    kinds: ALL_KINDS,
    check({ certificate: { extensions }, facts }) {
      const wrong = extensions.find(({ oid, critical }) => critical && !mayBeCritical(oid, facts));
      return wrong === undefined ? undefined : `${oidName(wrong.oid)} must not be critical`;
    },
  },
];
