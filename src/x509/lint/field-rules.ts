/** Rules over the plain fields: serial number, algorithms, validity, names. */
import { SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { bitLength } from '../../crypto/legacy/rsa.ts';
import { KEY_ALGORITHM_IDENTIFIERS, parseSpki } from '../../crypto/spki.ts';
import { nameValues } from '../name.ts';
import { isConformingSerialNumber } from '../serial-number.ts';
import { ALL_KINDS, CA_KINDS, GMSSL_MAX_DAYS, ISSUED_KINDS, SELF_ISSUED_KINDS } from './certificate-kinds.ts';
import type { CertificateRule, CertificateView } from './certificate-rule.ts';

const MIN_SERIAL_HEX_DIGITS = 16;
const MIN_RSA_BITS = 2_048;
const MILLISECONDS_A_DAY = 86_400_000;

function daysOf({ certificate: { notBefore, notAfter } }: CertificateView): number {
  return (notAfter.getTime() - notBefore.getTime()) / MILLISECONDS_A_DAY;
}

export const FIELD_RULES: readonly CertificateRule[] = [
  {
    id: 'e_serial_number',
    severity: 'error',
    cites: 'RFC 5280 §4.1.2.2',
    kinds: ALL_KINDS,
    check: ({ certificate: { serialNumber } }) =>
      isConformingSerialNumber(serialNumber) && serialNumber.length >= MIN_SERIAL_HEX_DIGITS
        ? undefined
        : 'the serial number must be positive and have 8 to 20 octets',
  },
  {
    id: 'e_signature_algorithm',
    severity: 'error',
    cites: 'GM/T 0015-2012 signatureAlgorithm',
    kinds: ALL_KINDS,
    check: ({ certificate }) =>
      SIGNATURE_ALGORITHMS[certificate.signatureAlgorithm].identifier.equals(certificate.signatureAlgorithmDer)
        ? undefined
        : 'the AlgorithmIdentifier must be written as this system writes it (SM2 without parameters)',
  },
  {
    id: 'e_signature_sha1',
    severity: 'error',
    cites: 'NIST SP 800-131A (SHA-1 for signatures)',
    kinds: ALL_KINDS,
    check: ({ certificate }) =>
      certificate.signatureAlgorithm === 'RSA-SHA1' ? 'SHA-1 must not be signed any more' : undefined,
  },
  {
    id: 'e_key_algorithm',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectPublicKeyInfo',
    kinds: ALL_KINDS,
    check: ({ certificate: { keyAlgorithm }, facts, kind }) =>
      facts.keyAlgorithms.includes(keyAlgorithm)
        ? undefined
        : `a ${kind} certificate must not hold a key of kind ${keyAlgorithm}`,
  },
  {
    id: 'e_spki_algorithm_form',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectPublicKeyInfo, RFC 5480 §2.1.1',
    kinds: ALL_KINDS,
    check: ({ certificate: { spki, keyAlgorithm } }) =>
      spki.includes(KEY_ALGORITHM_IDENTIFIERS[keyAlgorithm])
        ? undefined
        : 'the key must be written as ecPublicKey with its curve',
  },
  {
    id: 'e_rsa_key_size',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectPublicKeyInfo',
    kinds: ALL_KINDS,
    check({ certificate: { spki, keyAlgorithm } }) {
      if (keyAlgorithm !== 'RSA') return undefined;
      const { rsa } = parseSpki(spki);
      return rsa !== undefined && bitLength(rsa.n) >= MIN_RSA_BITS
        ? undefined
        : `an RSA key must have at least ${MIN_RSA_BITS} bits`;
    },
  },
  {
    id: 'e_validity_order',
    severity: 'error',
    cites: 'RFC 5280 §4.1.2.5',
    kinds: ALL_KINDS,
    check: (view) => (daysOf(view) > 0 ? undefined : 'notAfter must be later than notBefore'),
  },
  {
    id: 'e_validity_period',
    severity: 'error',
    cites: 'GmSSL certverify (3653 days), NIST SP 800-57 part 1 (crypto-periods)',
    kinds: ALL_KINDS,
    check: (view) =>
      daysOf(view) <= (view.facts.maxDays ?? Infinity)
        ? undefined
        : `a ${view.kind} certificate must not be valid for more than ${view.facts.maxDays ?? 0} days`,
  },
  {
    id: 'w_validity_gmssl',
    severity: 'warning',
    cites: 'GmSSL certverify (3653 days)',
    kinds: CA_KINDS,
    check: (view) =>
      daysOf(view) <= GMSSL_MAX_DAYS
        ? undefined
        : `GmSSL refuses chains with a certificate that is valid for more than ${GMSSL_MAX_DAYS} days`,
  },
  {
    id: 'e_subject_country',
    severity: 'error',
    cites: 'RFC 5280 appendix A.1 X520countryName',
    kinds: ALL_KINDS,
    check: ({ certificate: { subject } }) =>
      nameValues(subject, 'C').every((country) => /^[A-Z]{2}$/.test(country))
        ? undefined
        : 'C must be two capital letters',
  },
  {
    id: 'e_subject_common_name',
    severity: 'error',
    cites: 'GM/T 0015-2012 subject',
    kinds: ALL_KINDS,
    check: ({ certificate: { subject } }) =>
      nameValues(subject, 'CN').length === 1 ? undefined : 'the subject must have exactly one CN',
  },
  {
    id: 'e_self_issued',
    severity: 'error',
    cites: 'RFC 5280 §3.2',
    kinds: SELF_ISSUED_KINDS,
    check: ({ certificate: { issuer, subject } }) =>
      issuer.der.equals(subject.der) ? undefined : 'issuer and subject must be the same',
  },
  {
    id: 'e_not_self_issued',
    severity: 'error',
    cites: 'RFC 5280 §3.2, RFC 8649 (a new name for each generation)',
    kinds: ISSUED_KINDS,
    check: ({ certificate: { issuer, subject } }) =>
      issuer.der.equals(subject.der) ? 'issuer and subject must differ' : undefined,
  },
];
