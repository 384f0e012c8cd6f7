/** The two certificates of a dual-certificate device must be twins in all but key and use (GM/T 0015, GM/T 0024). */
import { EXTENSIONS, findExtension } from '../extensions.ts';
import type { Extension } from '../extensions.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { parseTbsCertificate } from '../tbs-certificate.ts';
import type { TbsCertificate } from '../tbs-certificate.ts';
import { refuseErrors, runRules } from './rule.ts';
import type { Rule } from './rule.ts';

export interface PairView {
  readonly sign: TbsCertificate;
  readonly enc: TbsCertificate;
}

const SIGN_USAGE = Buffer.from('030206c0', 'hex');
const ENC_USAGE = Buffer.from('03020338', 'hex');

function sameExtension(left: Extension | undefined, right: Extension | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.critical === right.critical && left.value.equals(right.value);
}

function hasUsage({ extensions }: TbsCertificate, value: Buffer): boolean {
  return findExtension(extensions, EXTENSIONS.keyUsage.oid)?.value.equals(value) === true;
}

function forBothSides({ extendedKeyUsage }: TbsCertificate): boolean {
  return [OID.serverAuth, OID.clientAuth].every((purpose) => extendedKeyUsage?.includes(purpose) === true);
}

/** The rules over a pair. */
export const PAIR_RULES: readonly Rule<PairView>[] = [
  {
    id: 'e_pair_subject',
    severity: 'error',
    cites: 'GmSSL tlcp_server (identical subject DER)',
    check: ({ sign, enc }) => (sign.subject.der.equals(enc.subject.der) ? undefined : 'the subjects must be the same'),
  },
  {
    id: 'e_pair_subject_alt_name',
    severity: 'error',
    cites: 'GmSSL tlcp_server (identical SAN DER and criticality)',
    check: ({ sign, enc }) =>
      sameExtension(
        findExtension(sign.extensions, OID.subjectAltName),
        findExtension(enc.extensions, OID.subjectAltName),
      )
        ? undefined
        : 'subjectAltName must be the same in both',
  },
  {
    id: 'e_pair_issuer',
    severity: 'error',
    cites: 'GM/T 0024 (both certificates share the chain)',
    check: ({ sign, enc }) =>
      sign.issuer.der.equals(enc.issuer.der) && (sign.akid ?? sign.issuer.der).equals(enc.akid ?? enc.issuer.der)
        ? undefined
        : 'both must have the same issuer',
  },
  {
    id: 'e_pair_validity',
    severity: 'error',
    cites: 'GM/T 0015-2012 (the pair is managed as one)',
    check: ({ sign, enc }) =>
      sign.notBefore.getTime() === enc.notBefore.getTime() && sign.notAfter.getTime() === enc.notAfter.getTime()
        ? undefined
        : 'both must be valid for the same time',
  },
  {
    id: 'e_pair_algorithms',
    severity: 'error',
    cites: 'GmSSL tlcp_server (same key and signature algorithms)',
    check: ({ sign, enc }) =>
      sign.keyAlgorithm === enc.keyAlgorithm && sign.signatureAlgorithmDer.equals(enc.signatureAlgorithmDer)
        ? undefined
        : 'both must have the same algorithms',
  },
  {
    id: 'e_pair_keys',
    severity: 'error',
    cites: 'GM/T 0015-2012 (a single key for both uses is discouraged), GM/T 0024',
    check: ({ sign, enc }) => (sign.spki.equals(enc.spki) ? 'the two keys must differ' : undefined),
  },
  {
    id: 'e_pair_serial_numbers',
    severity: 'error',
    cites: 'RFC 5280 §4.1.2.2',
    check: ({ sign, enc }) =>
      sign.serialNumber === enc.serialNumber ? 'the two serial numbers must differ' : undefined,
  },
  {
    id: 'e_pair_key_usage',
    severity: 'error',
    cites: 'GM/T 0015-2012 keyUsage (signing C0, encryption 38)',
    check: ({ sign, enc }) =>
      hasUsage(sign, SIGN_USAGE) && hasUsage(enc, ENC_USAGE)
        ? undefined
        : 'keyUsage must be C0 on the signing and 38 on the encryption certificate, in this order',
  },
  {
    id: 'e_pair_extended_key_usage',
    severity: 'error',
    cites: 'GmSSL and Tongsuo peer checks',
    check: ({ sign, enc }) =>
      forBothSides(sign) && forBothSides(enc) ? undefined : 'both must name serverAuth and clientAuth',
  },
];

function parsed(tbs: Buffer | TbsCertificate): TbsCertificate {
  return Buffer.isBuffer(tbs) ? parseTbsCertificate(tbs) : tbs;
}

/**
 * Lints the two TBSCertificates of one device against each other, given as DER or as read already (`LintedTbs` has it):
 * subject, subjectAltName, issuer, validity and algorithms the same, keys and serial numbers not, keyUsage C0 and 38, both
 * purposes on both. Throws `E_LINT` with the ids of the rules they break, and as `parseTbsCertificate` for octets that are
 * none.
 */
export function lintPair(sign: Buffer | TbsCertificate, enc: Buffer | TbsCertificate): void {
  refuseErrors(runRules(PAIR_RULES, { sign: parsed(sign), enc: parsed(enc) }), 'certificate pair');
}
