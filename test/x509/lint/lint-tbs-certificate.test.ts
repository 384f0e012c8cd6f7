import { expect } from 'chai';
import { boolean, contextExplicit, integer, nullValue, oid, sequence } from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { encodeRsaSpki, keyIdentifierSha1 } from '../../../src/crypto/spki.ts';
import { encodeTbsCertificate, parseTbsCertificate } from '../../../src/x509/certificate.ts';
import type { CertificatePlan, TbsCertificate } from '../../../src/x509/certificate.ts';
import { accessByUri, distributionPointsOf } from '../../../src/x509/extensions/access.ts';
import { extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Extension } from '../../../src/x509/extensions.ts';
import { ALL_KINDS } from '../../../src/x509/lint/certificate-kinds.ts';
import type { CertificateKind } from '../../../src/x509/lint/certificate-kinds.ts';
import {
  CERTIFICATE_RULES,
  certificateFindings,
  LintedTbs,
  lintTbsCertificate,
} from '../../../src/x509/lint/lint-tbs-certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';
import {
  ACCESS,
  CA_CERTIFICATES,
  CA_NAME,
  issuerOf,
  KEYS,
  samplePlan,
  SUBJECT_NAME,
  withExtension,
  withFields,
  without,
} from '../sample-plans.ts';

const ISSUER = CA_CERTIFICATES.SM2;
const DAY = 86_400_000;

function optionsOf(issuer: TbsCertificate | undefined): { issuer?: TbsCertificate } {
  return issuer === undefined ? {} : { issuer };
}

/** The bad case of a rule: a kind, what is done to its sample plan or its TBSCertificate, and perhaps another issuer. */
interface BadCase {
  readonly kind: CertificateKind;
  readonly plan?: (plan: CertificatePlan) => CertificatePlan;
  readonly tbs?: (tbs: Buffer) => Buffer;
  readonly issuer?: TbsCertificate;
}

const adding =
  (extension: Extension) =>
  (plan: CertificatePlan): CertificatePlan =>
    withExtension(plan, extension);
const lacking =
  (dotted: string) =>
  (plan: CertificatePlan): CertificatePlan =>
    without(plan, dotted);
const lasting =
  (days: number) =>
  (plan: CertificatePlan): CertificatePlan => ({ ...plan, notAfter: new Date(plan.notBefore.getTime() + days * DAY) });
const named =
  (...attributes: Parameters<typeof encodeName>[0]) =>
  (plan: CertificatePlan): CertificatePlan => ({ ...plan, subject: encodeName(attributes) });

const keyIdentifier = Buffer.alloc(20, 9);
const SM2_BY_CURVE = sequence(oid(OID.sm2p256v1), oid(OID.sm2p256v1));
const SMALL_RSA = encodeRsaSpki({ n: Buffer.alloc(128, 0xff), e: Buffer.from([1, 0, 1]) });

const BAD_CASES: Readonly<Record<string, BadCase>> = {
  e_serial_number: { kind: 'gateway-sign', tbs: (tbs) => withFields(tbs, { 1: integer(0) }) },
  e_signature_algorithm: {
    kind: 'gateway-sign',
    tbs: (tbs) => withFields(tbs, { 2: sequence(oid(OID.sm2SignWithSm3), nullValue()) }),
  },
  e_signature_sha1: { kind: 'legacy', plan: (plan) => ({ ...plan, signatureAlgorithm: 'RSA-SHA1' }) },
  e_key_algorithm: { kind: 'gateway-sign', plan: (plan) => ({ ...plan, spki: KEYS.subject.RSA.spki }) },
  e_spki_algorithm_form: {
    kind: 'gateway-sign',
    plan: (plan) => ({ ...plan, spki: withFields(plan.spki, { 0: SM2_BY_CURVE }) }),
  },
  e_rsa_key_size: { kind: 'legacy', plan: (plan) => ({ ...plan, spki: SMALL_RSA }) },
  e_validity_order: { kind: 'gateway-sign', plan: lasting(0) },
  e_validity_period: { kind: 'ocsp', plan: lasting(90 + 1_000 / DAY) },
  w_validity_gmssl: { kind: 'root', plan: lasting(3_654) },
  e_subject_country: { kind: 'gateway-sign', plan: named({ type: 'C', value: 'cn' }, { type: 'CN', value: 'a' }) },
  e_subject_common_name: { kind: 'gateway-sign', plan: named({ type: 'C', value: 'CN' }) },
  e_self_issued: { kind: 'root', plan: (plan) => ({ ...plan, issuer: SUBJECT_NAME }) },
  e_not_self_issued: { kind: 'issuing', plan: (plan) => ({ ...plan, subject: CA_NAME }) },
  e_ca_basic_constraints: { kind: 'root', plan: adding(extensionOf(EXTENSIONS.basicConstraints, { ca: true }, false)) },
  e_end_entity_basic_constraints: {
    kind: 'gateway-sign',
    plan: adding(extensionOf(EXTENSIONS.basicConstraints, { ca: true })),
  },
  w_path_length: { kind: 'issuing', plan: adding(extensionOf(EXTENSIONS.basicConstraints, { ca: true })) },
  e_key_usage_critical: {
    kind: 'gateway-sign',
    plan: adding(extensionOf(EXTENSIONS.keyUsage, ['digitalSignature', 'nonRepudiation'], false)),
  },
  e_key_usage_bits: { kind: 'gateway-sign', plan: adding(extensionOf(EXTENSIONS.keyUsage, ['digitalSignature'])) },
  e_extended_key_usage: {
    kind: 'gateway-sign',
    plan: adding(extensionOf(EXTENSIONS.extendedKeyUsage, [OID.serverAuth])),
  },
  e_any_extended_key_usage: {
    kind: 'application',
    plan: adding(extensionOf(EXTENSIONS.extendedKeyUsage, [OID.anyExtendedKeyUsage])),
  },
  e_private_purpose_critical: {
    kind: 'bundle-signer',
    plan: adding(extensionOf(EXTENSIONS.extendedKeyUsage, ['1.2.156.999.2'])),
  },
  e_criticality: {
    kind: 'gateway-sign',
    plan: adding(extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'a' }], true)),
  },
  e_subject_key_identifier: { kind: 'gateway-sign', plan: lacking(OID.subjectKeyIdentifier) },
  e_authority_key_identifier: { kind: 'gateway-sign', plan: lacking(OID.authorityKeyIdentifier) },
  e_authority_key_identifier_only: {
    kind: 'gateway-sign',
    plan: adding(
      extensionOf(EXTENSIONS.authorityKeyIdentifier, {
        keyIdentifier: ISSUER.skid ?? keyIdentifier,
        authorityCertIssuer: [{ type: 'directoryName', der: CA_NAME }],
        authorityCertSerialNumber: Buffer.from([1]),
      }),
    ),
  },
  e_root_authority_key_identifier: {
    kind: 'root',
    plan: adding(extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier })),
  },
  e_subject_alt_name_dns: {
    kind: 'gateway-enc',
    plan: adding(extensionOf(EXTENSIONS.subjectAltName, [{ type: 'iPAddress', value: '10.0.0.1' }])),
  },
  e_dns_name_syntax: {
    kind: 'transport',
    plan: adding(extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: '*.example.gov.cn' }])),
  },
  e_subject_alt_name_form: {
    kind: 'application',
    plan: adding(extensionOf(EXTENSIONS.subjectAltName, [{ type: 'other', der: Buffer.from('88012a', 'hex') }])),
  },
  e_crl_extension_in_certificate: { kind: 'root', plan: adding(extensionOf(EXTENSIONS.crlNumber, 1n)) },
  e_mandatory_access: { kind: 'gateway-sign', plan: lacking(OID.certificatePolicies) },
  e_issuing_access: { kind: 'issuing', plan: lacking(OID.crlDistributionPoints) },
  w_mandatory_access: {
    kind: 'administrator',
    plan: adding(extensionOf(EXTENSIONS.authorityInfoAccess, [accessByUri(OID.caIssuers, 'http://kmc/ca.crt')])),
  },
  e_root_subject_info_access: { kind: 'root', plan: lacking(OID.subjectInfoAccess) },
  e_access_uri: {
    kind: 'gateway-sign',
    plan: adding(extensionOf(EXTENSIONS.crlDistributionPoints, distributionPointsOf(['https://kmc/crl']))),
  },
  e_ocsp_no_check: { kind: 'ocsp', plan: lacking(OID.ocspNoCheck) },
  e_no_ocsp_no_check: { kind: 'application', plan: adding(extensionOf(EXTENSIONS.ocspNoCheck, true)) },
  e_self_signature_algorithm: { kind: 'root', plan: (plan) => ({ ...plan, signatureAlgorithm: 'RSA-SHA256' }) },
  e_issuer_signature_algorithm: { kind: 'gateway-sign', issuer: CA_CERTIFICATES.RSA },
  e_issuer_name: { kind: 'gateway-sign', issuer: { ...ISSUER, subject: { ...ISSUER.subject, der: SUBJECT_NAME } } },
  e_issuer_key_identifier: { kind: 'gateway-sign', issuer: { ...ISSUER, skid: keyIdentifier } },
  e_issuer_validity: { kind: 'gateway-sign', plan: lasting(3_651) },
  e_issuer_is_ca: { kind: 'gateway-sign', issuer: { ...ISSUER, basicConstraints: { ca: false } } },
  e_issuer_path_length: { kind: 'issuing', issuer: { ...ISSUER, basicConstraints: { ca: true, pathLength: 0 } } },
  e_key_of_issuer: { kind: 'gateway-sign', plan: (plan) => ({ ...plan, spki: KEYS.ca.SM2.spki }) },
  e_subject_key_identifier_of_issuer: {
    kind: 'gateway-sign',
    plan: adding(extensionOf(EXTENSIONS.subjectKeyIdentifier, keyIdentifierSha1(KEYS.ca.SM2.spki))),
  },
};

function tbsOf(kind: CertificateKind): Buffer {
  return encodeTbsCertificate(samplePlan(kind));
}

describe('the rules for certificates', () => {
  for (const kind of ALL_KINDS) {
    it(`find nothing in a good ${kind} certificate`, () => {
      expect(certificateFindings(parseTbsCertificate(tbsOf(kind)), kind, optionsOf(issuerOf(kind)))).to.deep.equal([]);
    });
  }

  for (const { id, severity, kinds, cites } of CERTIFICATE_RULES) {
    it(`${id} finds its bad case, and says where the rule is from`, () => {
      const bad = BAD_CASES[id];
      if (bad === undefined) throw new Error(`no bad case for ${id}`);
      expect(kinds).to.include(bad.kind);
      expect(cites).to.match(/RFC|GM\/T|NIST|GmSSL/);
      expect(id.startsWith(severity === 'error' ? 'e_' : 'w_')).to.equal(true);
      const tbs = encodeTbsCertificate(bad.plan?.(samplePlan(bad.kind)) ?? samplePlan(bad.kind));
      const certificate = parseTbsCertificate(bad.tbs?.(tbs) ?? tbs);
      const findings = certificateFindings(certificate, bad.kind, optionsOf(bad.issuer ?? issuerOf(bad.kind)));
      expect(findings.map((finding) => finding.id)).to.include(id);
    });
  }

  it('have different ids, and every bad case belongs to one', () => {
    const ids = CERTIFICATE_RULES.map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    expect(Object.keys(BAD_CASES)).to.have.members(ids);
  });

  it('allow validity periods up to their last second', () => {
    for (const [kind, days] of [
      ['gateway-sign', 3_653],
      ['ocsp', 90],
      ['transport', 366],
      ['canary', 2],
    ] as const) {
      const ids = (length: number): string[] =>
        certificateFindings(parseTbsCertificate(encodeTbsCertificate(lasting(length)(samplePlan(kind)))), kind).map(
          ({ id }) => id,
        );
      expect(ids(days)).not.to.include('e_validity_period');
      expect(ids(days + 1_000 / DAY)).to.include('e_validity_period');
    }
  });

  it('never let CA rights into the certificate of an end entity', () => {
    for (const kind of ALL_KINDS.filter(
      (one) => !CERTIFICATE_RULES.some(({ id, kinds }) => id === 'e_ca_basic_constraints' && kinds.includes(one)),
    )) {
      for (const extension of [
        extensionOf(EXTENSIONS.basicConstraints, { ca: true }),
        extensionOf(EXTENSIONS.keyUsage, ['digitalSignature', 'keyCertSign']),
        { oid: OID.nameConstraints, critical: true, value: Buffer.from('3000', 'hex') },
      ]) {
        const tbs = encodeTbsCertificate(withExtension(samplePlan(kind), extension));
        expect(() => lintTbsCertificate(tbs, kind), kind)
          .to.throw()
          .with.property('code', 'E_LINT');
      }
    }
  });
});

describe('lintTbsCertificate', () => {
  it('gives the octets to sign exactly once', async () => {
    const tbs = tbsOf('gateway-sign');
    const linted = lintTbsCertificate(tbs, 'gateway-sign', { issuer: ISSUER });
    expect(linted).to.be.instanceOf(LintedTbs);
    expect(linted.kind).to.equal('gateway-sign');
    expect(linted.redeem().equals(tbs)).to.equal(true);
    await refusal('E_LINT', () => linted.redeem());
  });

  it('is not deceived by a Buffer that is changed after the lint', () => {
    const tbs = tbsOf('gateway-sign');
    const before = Buffer.from(tbs);
    const linted = lintTbsCertificate(tbs, 'gateway-sign');
    tbs.fill(0);
    expect(linted.redeem().equals(before)).to.equal(true);
  });

  it('names every broken rule in E_LINT', async () => {
    const plan = without(without(samplePlan('gateway-sign'), OID.keyUsage), OID.subjectAltName);
    const error = await refusal('E_LINT', () => lintTbsCertificate(encodeTbsCertificate(plan), 'gateway-sign'));
    expect(error.message).to.include('e_key_usage_critical').and.to.include('e_subject_alt_name_dns');
  });

  it('lets warnings pass and tells of them', () => {
    const plan = samplePlan('administrator');
    const bare = { ...plan, extensions: plan.extensions.filter((extension) => !ACCESS.includes(extension)) };
    const linted = lintTbsCertificate(encodeTbsCertificate(bare), 'administrator');
    expect(linted.warnings.map(({ id }) => id)).to.deep.equal(['w_mandatory_access']);
  });

  it('skips the rules that are exempted by name, and refuses a name that is no rule', async () => {
    const tbs = encodeTbsCertificate(without(samplePlan('root'), OID.subjectInfoAccess));
    await refusal('E_LINT', () => lintTbsCertificate(tbs, 'root'));
    expect(
      lintTbsCertificate(tbs, 'root', { skip: ['e_root_subject_info_access'] })
        .redeem()
        .equals(tbs),
    ).to.equal(true);
    const error = await refusal('E_LINT', () =>
      lintTbsCertificate(tbs, 'root', { skip: ['e_root_subject_info_acces'] }),
    );
    expect(error.message).to.include('e_root_subject_info_acces');
  });

  for (const [what, tbs] of [
    ['octets that are no DER', Buffer.from('hello')],
    ['a list of extensions that is empty', withFields(tbsOf('root'), { 7: contextExplicit(3, sequence()) })],
    ['a TBSCertificate of version 1', withFields(tbsOf('root'), { 0: undefined })],
    ['a serial number that is no INTEGER', withFields(tbsOf('root'), { 1: boolean(true) })],
  ] as const) {
    it(`refuses ${what} with E_LINT`, () => refusal('E_LINT', () => lintTbsCertificate(tbs, 'root')));
  }
});
