/** Rules over a certification request as a device or a CA sends it. */
import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import { bitLength } from '../../crypto/legacy/rsa.ts';
import { KEY_ALGORITHM_IDENTIFIERS, parseSpki } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { verifyProofOfPossession, type CertificationRequest } from '../csr.ts';
import { EXTENSIONS, readExtension } from '../extensions.ts';
import { nameValues } from '../name.ts';
import { isDnsName } from './identifier-rules.ts';
import type { Rule } from './rule.ts';

const MIN_RSA_BITS = 2_048;

function proves(request: CertificationRequest): boolean {
  try {
    verifyProofOfPossession(request);
    return true;
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_POP') return false;
    throw error;
  }
}

/** Every rule for certification requests. */
export const REQUEST_RULES: readonly Rule<CertificationRequest>[] = [
  {
    id: 'e_request_signature_algorithm',
    severity: 'error',
    cites: 'RFC 2986 §4.2, NIST SP 800-131A (SHA-1 for signatures)',
    check: ({ keyAlgorithm, signatureAlgorithm }) =>
      KEY_ALGORITHMS[keyAlgorithm].signatures.includes(signatureAlgorithm) && signatureAlgorithm !== 'RSA-SHA1'
        ? undefined
        : 'the signature algorithm must fit the key in the request, and not use SHA-1',
  },
  {
    id: 'e_request_proof_of_possession',
    severity: 'error',
    cites: 'RFC 2986 §4.2, GM/T 0009 (SM2 with the ID 1234567812345678)',
    check: (request) =>
      proves(request) ? undefined : 'the request is not signed by the private key of the public key in it',
  },
  {
    id: 'e_request_key_form',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectPublicKeyInfo, RFC 5480 §2.1.1',
    check: ({ spki, keyAlgorithm }) =>
      spki.includes(KEY_ALGORITHM_IDENTIFIERS[keyAlgorithm])
        ? undefined
        : 'the key must be written as ecPublicKey with its curve',
  },
  {
    id: 'e_request_rsa_key_size',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectPublicKeyInfo',
    check({ spki }) {
      const { rsa } = parseSpki(spki);
      return rsa === undefined || bitLength(rsa.n) >= MIN_RSA_BITS
        ? undefined
        : `an RSA key must have at least ${MIN_RSA_BITS} bits`;
    },
  },
  {
    id: 'w_request_key_algorithm',
    severity: 'warning',
    cites: 'GM/T 0024 (both certificates of a TLCP peer are SM2)',
    check: ({ keyAlgorithm }) =>
      keyAlgorithm === 'SM2' ? undefined : `a ${keyAlgorithm} key serves before the upgrade, and no TLCP peer`,
  },
  {
    id: 'e_request_subject_country',
    severity: 'error',
    cites: 'RFC 5280 appendix A.1 X520countryName',
    check: ({ subject }) =>
      nameValues(subject, 'C').every((country) => /^[A-Z]{2}$/.test(country))
        ? undefined
        : 'C must be two capital letters',
  },
  {
    id: 'e_request_subject_common_name',
    severity: 'error',
    cites: 'GM/T 0015-2012 subject',
    check: ({ subject }) =>
      nameValues(subject, 'CN').length === 1 ? undefined : 'the subject must have exactly one CN',
  },
  {
    id: 'e_request_ca',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.9 and §4.2.1.3',
    check({ requestedExtensions }) {
      const usage = readExtension(requestedExtensions, EXTENSIONS.keyUsage) ?? [];
      const wantsCa = readExtension(requestedExtensions, EXTENSIONS.basicConstraints)?.ca === true;
      return wantsCa || usage.includes('keyCertSign') || usage.includes('cRLSign')
        ? 'an end entity must not ask for the rights of a CA'
        : undefined;
    },
  },
  {
    id: 'e_request_dns_name_syntax',
    severity: 'error',
    cites: 'RFC 1034 §3.5, RFC 5280 §4.2.1.6',
    check({ requestedExtensions }) {
      const names = readExtension(requestedExtensions, EXTENSIONS.subjectAltName) ?? [];
      return names.every((name) => name.type !== 'dNSName' || isDnsName(name.value))
        ? undefined
        : 'a dNSName must be letters, digits, hyphens and dots, without a wildcard';
    },
  },
  {
    id: 'w_request_challenge_password',
    severity: 'warning',
    cites: 'RFC 2985 §5.4.1, RFC 7030 §3.5',
    check: ({ challengePassword }) =>
      challengePassword === undefined
        ? undefined
        : 'a challengePassword is readable by everybody; only the channel binding of EST belongs there',
  },
];
