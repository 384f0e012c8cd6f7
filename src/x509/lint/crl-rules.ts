/** Rules over a CRL to be signed. */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import { OID, oidName } from '../../crypto/asn1/oids.ts';
import type { ReadRevokedCertificate, TbsCertList } from '../crl.ts';
import { EXTENSIONS, findExtension, readExtension } from '../extensions.ts';
import { isConformingSerialNumber } from '../serial-number.ts';
import type { TbsCertificate } from '../tbs-certificate.ts';
import type { Rule } from './rule.ts';

export interface CrlView {
  readonly crl: TbsCertList;
  /** The certificate of the CRL's issuer, where it is given. */
  readonly issuer: TbsCertificate | undefined;
  /** The number of the last CRL of the same scope, where there is one. */
  readonly previousNumber: bigint | undefined;
}

const MAX_DAYS = 31;
const MILLISECONDS_A_DAY = 86_400_000;
/** The last CRL of a removed CA stays valid until the CA's own end (`cessationOfOperation` of a hierarchy). */
const CRITICAL_EXTENSIONS: readonly string[] = [OID.issuingDistributionPoint, OID.deltaCrlIndicator];
const USED_EXTENSIONS: readonly string[] = [
  OID.authorityKeyIdentifier,
  OID.crlNumber,
  OID.issuingDistributionPoint,
  OID.deltaCrlIndicator,
  OID.freshestCrl,
  OID.authorityInfoAccess,
];

/** Serial numbers as numbers: shorter hex is smaller. */
function ascending(left: ReadRevokedCertificate, right: ReadRevokedCertificate): boolean {
  const difference = left.serialNumber.length - right.serialNumber.length;
  return difference < 0 || (difference === 0 && left.serialNumber < right.serialNumber);
}

function orderFault(entries: readonly ReadRevokedCertificate[]): string | undefined {
  let previous: ReadRevokedCertificate | undefined;
  for (const entry of entries) {
    if (previous !== undefined && !ascending(previous, entry)) {
      return `the entries must be in ascending order of serial number, none twice (at ${entry.serialNumber})`;
    }
    previous = entry;
  }
  return undefined;
}

function entryFault(
  { entries }: TbsCertList,
  faulty: (entry: ReadRevokedCertificate) => boolean,
  text: string,
): string | undefined {
  const found = entries.find(faulty);
  return found === undefined ? undefined : `${text} (at ${found.serialNumber})`;
}

const HEADER_RULES: readonly Rule<CrlView>[] = [
  {
    id: 'e_crl_signature_algorithm',
    severity: 'error',
    cites: 'GM/T 0015-2012 signatureAlgorithm, RFC 5280 §5.1.1.2',
    check({ crl, issuer }) {
      const written = SIGNATURE_ALGORITHMS[crl.signatureAlgorithm].identifier.equals(crl.signatureAlgorithmDer);
      const fits =
        issuer === undefined || KEY_ALGORITHMS[issuer.keyAlgorithm].signatures.includes(crl.signatureAlgorithm);
      return written && fits && crl.signatureAlgorithm !== 'RSA-SHA1'
        ? undefined
        : "the algorithm must fit the issuer's key, be written as this system writes it, and not use SHA-1";
    },
  },
  {
    id: 'e_crl_next_update',
    severity: 'error',
    cites: 'RFC 5280 §5.1.2.5, GM/T 0015-2012 nextUpdate',
    check: ({ crl: { thisUpdate, nextUpdate } }) =>
      nextUpdate !== undefined && nextUpdate > thisUpdate ? undefined : 'nextUpdate must be there and after thisUpdate',
  },
  {
    id: 'w_crl_period',
    severity: 'warning',
    cites: 'CA/B BR §4.9.7',
    check: ({ crl: { thisUpdate, nextUpdate } }) =>
      (nextUpdate?.getTime() ?? 0) - thisUpdate.getTime() <= MAX_DAYS * MILLISECONDS_A_DAY
        ? undefined
        : `only the last CRL of a CA should be valid for more than ${MAX_DAYS} days`,
  },
  {
    id: 'e_crl_number',
    severity: 'error',
    cites: 'RFC 5280 §5.2.3',
    check: ({ crl: { crlNumber } }) => (crlNumber === undefined ? 'cRLNumber must be there' : undefined),
  },
  {
    id: 'e_crl_number_rises',
    severity: 'error',
    cites: 'RFC 5280 §5.2.3',
    check: ({ crl: { crlNumber }, previousNumber }) =>
      previousNumber === undefined || (crlNumber !== undefined && crlNumber > previousNumber)
        ? undefined
        : `cRLNumber must be above ${previousNumber}`,
  },
  {
    id: 'e_crl_authority_key_identifier',
    severity: 'error',
    cites: 'RFC 5280 §5.2.1, GM/T 0015-2012 authorityKeyIdentifier',
    check({ crl, issuer }) {
      const identifier = readExtension(crl.extensions, EXTENSIONS.authorityKeyIdentifier);
      const only = identifier?.keyIdentifier !== undefined && identifier.authorityCertIssuer === undefined;
      const fits = issuer?.skid === undefined || crl.akid?.equals(issuer.skid) === true;
      return only && fits ? undefined : "authorityKeyIdentifier must hold only the issuer's subjectKeyIdentifier";
    },
  },
  {
    id: 'e_crl_issuer',
    severity: 'error',
    cites: 'RFC 5280 §5.1.2.3 and §6.3.3 (f)',
    check: ({ crl, issuer }) =>
      issuer === undefined ||
      (issuer.subject.der.equals(crl.issuer.der) && issuer.keyUsage?.includes('cRLSign') !== false)
        ? undefined
        : 'the issuer must be the subject of a certificate that may sign CRLs',
  },
  {
    id: 'e_crl_extensions',
    severity: 'error',
    cites: 'RFC 5280 §5.2',
    check({ crl: { extensions } }) {
      const wrong = extensions.find(
        ({ oid, critical }) => !USED_EXTENSIONS.includes(oid) || critical !== CRITICAL_EXTENSIONS.includes(oid),
      );
      return wrong === undefined
        ? undefined
        : `${oidName(wrong.oid)} does not belong here or has the wrong criticality`;
    },
  },
  {
    id: 'e_crl_scope',
    severity: 'error',
    cites: 'RFC 5280 §5.2.5',
    check({ crl: { issuingDistributionPoint: scope } }) {
      if (scope === undefined) return undefined;
      if (scope.indirectCRL || scope.onlyContainsAttributeCerts || scope.onlySomeReasons !== undefined) {
        return 'indirect CRLs, attribute certificates and partial reasons are not used';
      }
      if (scope.onlyContainsUserCerts && scope.onlyContainsCACerts) return 'a CRL cannot hold only both kinds';
      return Object.keys(scope).length === 0 ? 'an empty issuingDistributionPoint says nothing' : undefined;
    },
  },
  {
    id: 'e_crl_delta',
    severity: 'error',
    cites: 'RFC 5280 §5.2.4 and §5.2.6',
    check({ crl: { deltaBase, crlNumber, extensions } }) {
      if (deltaBase === undefined) return undefined;
      if (findExtension(extensions, OID.freshestCrl) !== undefined) return 'a delta CRL must not have freshestCRL';
      return crlNumber !== undefined && deltaBase < crlNumber ? undefined : 'a delta CRL must be newer than its base';
    },
  },
];

const ENTRY_RULES: readonly Rule<CrlView>[] = [
  {
    id: 'e_crl_entry_serial',
    severity: 'error',
    cites: 'RFC 5280 §4.1.2.2',
    check: ({ crl }) =>
      entryFault(
        crl,
        ({ serialNumber }) => !isConformingSerialNumber(serialNumber),
        'a serial number is not positive or above 20 octets',
      ),
  },
  {
    id: 'e_crl_entry_order',
    severity: 'error',
    cites: 'RFC 5280 §5.1.2.6',
    check: ({ crl }) => orderFault(crl.entries),
  },
  {
    id: 'e_crl_entry_date',
    severity: 'error',
    cites: 'RFC 5280 §5.1.2.6',
    check: ({ crl }) =>
      entryFault(
        crl,
        ({ revocationDate }) => revocationDate > crl.thisUpdate,
        'a revocation date is later than thisUpdate',
      ),
  },
  {
    id: 'e_crl_entry_reason',
    severity: 'error',
    cites: 'RFC 5280 §5.3.1',
    check: ({ crl }) =>
      entryFault(
        crl,
        ({ reason }) => reason === 'unspecified' || (reason === 'removeFromCRL' && crl.deltaBase === undefined),
        'unspecified is written by leaving the reason out, and removeFromCRL belongs to delta CRLs',
      ),
  },
  {
    id: 'e_crl_entry_extensions',
    severity: 'error',
    cites: 'RFC 5280 §5.3',
    check: ({ crl }) =>
      entryFault(
        crl,
        ({ unknownCritical, ofOtherIssuer }) => unknownCritical !== undefined || ofOtherIssuer === true,
        'an entry must have no critical extension and no certificateIssuer',
      ),
  },
];

/** Every rule for CRLs. */
export const CRL_RULES: readonly Rule<CrlView>[] = [...HEADER_RULES, ...ENTRY_RULES];
