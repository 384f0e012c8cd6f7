/** Rules over key identifiers and alternative names. */
import { EXTENSIONS, findExtension, readExtension } from '../extensions.ts';
import type { GeneralName } from '../extensions/general-name.ts';
import { ALL_KINDS, DNS_NAME_KINDS, ISSUED_KINDS, SELF_ISSUED_KINDS } from './certificate-kinds.ts';
import type { CertificateRule } from './certificate-rule.ts';

const MAX_DNS_NAME = 253;
const DNS_NAME =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** True for a dNSName of letters, digits, hyphens and dots, without a wildcard (RFC 1034 3.5). */
export function isDnsName(name: string): boolean {
  return name.length <= MAX_DNS_NAME && DNS_NAME.test(name);
}

function dnsNames(names: readonly GeneralName[] | undefined): string[] {
  return (names ?? []).flatMap((name) => (name.type === 'dNSName' ? [name.value] : []));
}

export const IDENTIFIER_RULES: readonly CertificateRule[] = [
  {
    id: 'e_subject_key_identifier',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.2, GM/T 0015-2012 subjectKeyIdentifier',
    kinds: ALL_KINDS,
    check: ({ certificate: { skid } }) => (skid === undefined ? 'subjectKeyIdentifier must be there' : undefined),
  },
  {
    id: 'e_authority_key_identifier',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.1, GM/T 0015-2012 authorityKeyIdentifier',
    kinds: ISSUED_KINDS,
    check: ({ certificate: { akid } }) =>
      akid === undefined ? 'authorityKeyIdentifier must be there with a keyIdentifier' : undefined,
  },
  {
    id: 'e_authority_key_identifier_only',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.1 (issuer and serial hinder cross-certification)',
    kinds: ALL_KINDS,
    check({ certificate: { extensions } }) {
      const identifier = readExtension(extensions, EXTENSIONS.authorityKeyIdentifier);
      return identifier?.authorityCertIssuer === undefined
        ? undefined
        : 'authorityKeyIdentifier must hold nothing but the keyIdentifier';
    },
  },
  {
    id: 'e_root_authority_key_identifier',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.1',
    kinds: SELF_ISSUED_KINDS,
    check: ({ certificate: { akid, skid } }) =>
      akid === undefined || (skid !== undefined && akid.equals(skid))
        ? undefined
        : 'authorityKeyIdentifier of a self-signed certificate must be absent or equal its subjectKeyIdentifier',
  },
  {
    id: 'e_subject_alt_name_dns',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.6, GmSSL peer check (a client knows its peer by dNSName)',
    kinds: DNS_NAME_KINDS,
    check: ({ certificate: { subjectAltName } }) =>
      dnsNames(subjectAltName).length > 0 ? undefined : 'subjectAltName must hold a dNSName',
  },
  {
    id: 'e_dns_name_syntax',
    severity: 'error',
    cites: 'RFC 1034 §3.5, RFC 5280 §4.2.1.6',
    kinds: ALL_KINDS,
    check({ certificate: { subjectAltName } }) {
      const wrong = dnsNames(subjectAltName).find((name) => !isDnsName(name));
      return wrong === undefined
        ? undefined
        : 'a dNSName must be letters, digits, hyphens and dots, without a wildcard';
    },
  },
  {
    id: 'e_subject_alt_name_form',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.6',
    kinds: ALL_KINDS,
    check: ({ certificate: { subjectAltName } }) =>
      subjectAltName?.some(({ type }) => type === 'other') === true
        ? 'subjectAltName must hold only names that this system understands'
        : undefined,
  },
  {
    id: 'e_crl_extension_in_certificate',
    severity: 'error',
    cites: 'RFC 5280 §5.2 and §5.3 (CRL extensions)',
    kinds: ALL_KINDS,
    check({ certificate: { extensions } }) {
      const { crlNumber, deltaCrlIndicator, issuingDistributionPoint, reasonCode, invalidityDate } = EXTENSIONS;
      const misplaced = [crlNumber, deltaCrlIndicator, issuingDistributionPoint, reasonCode, invalidityDate].find(
        ({ oid }) => findExtension(extensions, oid) !== undefined,
      );
      return misplaced === undefined ? undefined : 'an extension of CRLs must not stand in a certificate';
    },
  },
];
