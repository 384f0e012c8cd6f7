/** Rules over policies and the places where CRLs, issuers and status are found. */
import { OID, oidName } from '../../crypto/asn1/oids.ts';
import { EXTENSIONS, findExtension, readExtension } from '../extensions.ts';
import type { GeneralName } from '../extensions/general-name.ts';
import type { TbsCertificate } from '../tbs-certificate.ts';
import { ALL_KINDS, GM_PROFILE_KINDS, INTERNAL_KINDS } from './certificate-kinds.ts';
import type { CertificateRule } from './certificate-rule.ts';

/** https would need a certificate check to get the means for a certificate check (RFC 5280 §8). */
const ACCESS_URI = /^(?:http|ldap):\/\/[^/\s]+/;

function accessMethods(certificate: TbsCertificate): string[] {
  return (readExtension(certificate.extensions, EXTENSIONS.authorityInfoAccess) ?? []).map(
    ({ accessMethod }) => accessMethod,
  );
}

function accessNames({ extensions }: TbsCertificate): GeneralName[] {
  const points = readExtension(extensions, EXTENSIONS.crlDistributionPoints) ?? [];
  const authority = readExtension(extensions, EXTENSIONS.authorityInfoAccess) ?? [];
  const subject = readExtension(extensions, EXTENSIONS.subjectInfoAccess) ?? [];
  return [
    ...points.flatMap(({ distributionPoint }) =>
      distributionPoint !== undefined && 'fullName' in distributionPoint ? distributionPoint.fullName : [],
    ),
    ...[...authority, ...subject].map(({ accessLocation }) => accessLocation),
  ];
}

/** What GM/T 0015 wants besides keyUsage and the key identifiers; a root answers no OCSP for its issuing CAs. */
function missingAccess(certificate: TbsCertificate, methods: readonly string[]): string | undefined {
  const present = accessMethods(certificate);
  const missing = [
    ...[OID.certificatePolicies, OID.crlDistributionPoints].filter(
      (oid) => findExtension(certificate.extensions, oid) === undefined,
    ),
    ...methods.filter((method) => !present.includes(method)),
  ];
  return missing.length === 0 ? undefined : `missing: ${missing.map(oidName).join(', ')}`;
}

export const ACCESS_RULES: readonly CertificateRule[] = [
  {
    id: 'e_mandatory_access',
    severity: 'error',
    cites: 'GM/T 0015-2012 (mandatory extensions of an end entity)',
    kinds: GM_PROFILE_KINDS,
    check: ({ certificate }) => missingAccess(certificate, [OID.caIssuers, OID.ocsp]),
  },
  {
    id: 'e_issuing_access',
    severity: 'error',
    cites: 'GM/T 0015-2012 (mandatory extensions of a subordinate CA)',
    kinds: ['issuing'],
    check: ({ certificate }) => missingAccess(certificate, [OID.caIssuers]),
  },
  {
    id: 'w_mandatory_access',
    severity: 'warning',
    cites: 'GM/T 0015-2012 (mandatory extensions of an end entity)',
    kinds: INTERNAL_KINDS,
    check: ({ certificate }) => missingAccess(certificate, [OID.caIssuers, OID.ocsp]),
  },
  {
    id: 'e_root_subject_info_access',
    severity: 'error',
    cites: 'GM/T 0015-2012 subjectInfoAccess',
    kinds: ['root'],
    check: ({ certificate: { extensions } }) =>
      readExtension(extensions, EXTENSIONS.subjectInfoAccess)?.some(
        ({ accessMethod }) => accessMethod === OID.caRepository,
      )
        ? undefined
        : 'a root must name its caRepository in subjectInfoAccess',
  },
  {
    id: 'e_access_uri',
    severity: 'error',
    cites: 'RFC 5280 §4.2.1.13, §4.2.2.1 and §8',
    kinds: ALL_KINDS,
    check: ({ certificate }) =>
      accessNames(certificate).every(
        (name) =>
          name.type === 'directoryName' || (name.type === 'uniformResourceIdentifier' && ACCESS_URI.test(name.value)),
      )
        ? undefined
        : 'a place of access must be an http or ldap URI or a directory name',
  },
  {
    id: 'e_ocsp_no_check',
    severity: 'error',
    cites: 'RFC 6960 §4.2.2.2.1',
    kinds: ['ocsp'],
    check: ({ certificate: { extensions } }) =>
      findExtension(extensions, OID.ocspNoCheck) === undefined
        ? 'an OCSP responder must have ocspNoCheck, because nobody could check it'
        : undefined,
  },
  {
    id: 'e_no_ocsp_no_check',
    severity: 'error',
    cites: 'RFC 6960 §4.2.2.2.1',
    kinds: ALL_KINDS.filter((kind) => kind !== 'ocsp'),
    check: ({ certificate: { extensions } }) =>
      findExtension(extensions, OID.ocspNoCheck) === undefined
        ? undefined
        : 'only an OCSP responder may have ocspNoCheck',
  },
];
