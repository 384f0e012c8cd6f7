/** Rules over a certificate and its issuer's, where the issuer's is given; a self-signed one is its own issuer. */
import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { TbsCertificate } from '../tbs-certificate.ts';
import { ALL_KINDS, CA_KINDS, ISSUED_KINDS, SELF_ISSUED_KINDS } from './certificate-kinds.ts';
import type { CertificateRule } from './certificate-rule.ts';

function algorithmFits(certificate: TbsCertificate, signer: TbsCertificate): boolean {
  return KEY_ALGORITHMS[signer.keyAlgorithm].signatures.includes(certificate.signatureAlgorithm);
}

export const ISSUER_RULES: readonly CertificateRule[] = [
  {
    id: 'e_self_signature_algorithm',
    severity: 'error',
    cites: 'RFC 5280 §4.1.1.2',
    kinds: SELF_ISSUED_KINDS,
    check: ({ certificate }) =>
      algorithmFits(certificate, certificate) ? undefined : 'the signature algorithm does not fit the key',
  },
  {
    id: 'e_issuer_signature_algorithm',
    severity: 'error',
    cites: 'RFC 5280 §4.1.1.2',
    kinds: ISSUED_KINDS,
    check: ({ certificate, issuer }) =>
      issuer === undefined || algorithmFits(certificate, issuer)
        ? undefined
        : "the signature algorithm does not fit the issuer's key",
  },
  {
    id: 'e_issuer_name',
    severity: 'error',
    cites: 'RFC 5280 §6.1.3 (a)(4)',
    kinds: ISSUED_KINDS,
    check: ({ certificate, issuer }) =>
      issuer === undefined || issuer.subject.der.equals(certificate.issuer.der)
        ? undefined
        : 'the issuer must be the subject of the issuing certificate, octet by octet',
  },
  {
    id: 'e_issuer_key_identifier',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.1',
    kinds: ISSUED_KINDS,
    check: ({ certificate, issuer }) =>
      issuer?.skid === undefined || certificate.akid?.equals(issuer.skid) === true
        ? undefined
        : "authorityKeyIdentifier must be the issuer's subjectKeyIdentifier",
  },
  {
    id: 'e_issuer_validity',
    severity: 'error',
    cites: 'RFC 5280 §6.1.3 (a)(2)',
    kinds: ISSUED_KINDS,
    check: ({ certificate, issuer }) =>
      issuer === undefined || certificate.notAfter <= issuer.notAfter
        ? undefined
        : 'the certificate must not outlive its issuer',
  },
  {
    id: 'e_issuer_is_ca',
    severity: 'error',
    cites: 'RFC 5280 §6.1.4 (k) and (n)',
    kinds: ISSUED_KINDS,
    check: ({ issuer }) =>
      issuer === undefined ||
      (issuer.basicConstraints?.ca === true && issuer.keyUsage?.includes('keyCertSign') !== false)
        ? undefined
        : 'the issuer must be a CA that may sign certificates',
  },
  {
    id: 'e_issuer_path_length',
    severity: 'error',
    cites: 'RFC 5280 §6.1.4 (l)',
    kinds: CA_KINDS,
    check: ({ issuer }) =>
      issuer?.basicConstraints?.pathLength === 0
        ? 'the issuer may not certify another CA (pathLenConstraint 0)'
        : undefined,
  },
  {
    id: 'e_key_of_issuer',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectPublicKeyInfo, RFC 5280 §3.2',
    kinds: ISSUED_KINDS,
    check: ({ certificate, issuer }) =>
      issuer?.spki.equals(certificate.spki) === true ? "the issuer's own key must not be certified here" : undefined,
  },
  {
    id: 'e_subject_key_identifier_of_issuer',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.2',
    kinds: ALL_KINDS,
    check: ({ certificate, issuer }) =>
      issuer?.skid !== undefined && certificate.skid?.equals(issuer.skid) === true
        ? "subjectKeyIdentifier must differ from the issuer's"
        : undefined,
  },
];
