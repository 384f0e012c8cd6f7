import { expect } from 'chai';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, type KeyAlgorithmName } from '../../src/crypto/algorithms.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import type { PrivateKey } from '../../src/crypto/private-key.ts';
import { keyIdentifierSha1 } from '../../src/crypto/spki.ts';
import { certificateProfile } from '../../src/domain/policy.ts';
import {
  crlAddresses,
  pairFaults,
  planCertificate,
  REQUIRED_PROFILES,
  type CertificateFacts,
  type CertificateProfile,
  type RequiredProfile,
} from '../../src/domain/profile.ts';
import {
  assembleCertificate,
  encodeTbsCertificate,
  parseCertificate,
  parseTbsCertificate,
} from '../../src/x509/certificate.ts';
import { EXTENSIONS, findExtension, readExtension } from '../../src/x509/extensions.ts';
import { CERTIFICATE_KINDS } from '../../src/x509/lint/certificate-kinds.ts';
import { certificateFindings, lintTbsCertificate } from '../../src/x509/lint/lint-tbs-certificate.ts';
import { encodeName } from '../../src/x509/name.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { POLICIES } from './approval/cast.ts';
import { refusalOf } from './refusal.ts';

const DAY = 86_400_000;
const NOT_BEFORE = new Date('2026-11-25T08:00:00Z');
const ISSUER_NAME = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'CN', value: 'Issuing CA' },
]);
const SUBJECT_NAME = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'O', value: '政务外网' },
  { type: 'CN', value: 'gw-001' },
]);
const SAN = [{ type: 'dNSName', value: 'gw-001.example.gov.cn' }] as const;
/** What every relying party wants of a base address that is not of this machine. */
const PUBLICATION = {
  crl: 'http://pki.gov.cn/crl',
  ocsp: 'http://pki.gov.cn/ocsp',
  caIssuers: 'http://pki.gov.cn/ca',
  caRepository: 'http://pki.gov.cn/ca',
  certificatePolicy: '1.2.156.999.1.1',
  bundleSigner: '1.2.156.999.1.2',
};

describe('certificate profiles', () => {
  const keys = new Map<KeyAlgorithmName, PrivateKey>();
  const keyOf = (algorithm: KeyAlgorithmName): PrivateKey => {
    const key = keys.get(algorithm);
    if (key === undefined) throw new Error(`no ${algorithm} key`);
    return key;
  };

  before(async () => {
    for (const algorithm of ['SM2', 'EC-P256', 'RSA'] as const) {
      const pair = await KEY_ALGORITHMS[algorithm].generateKeyPair(algorithm === 'RSA' ? 2048 : undefined);
      keys.set(algorithm, parsePkcs8(pair.pkcs8));
    }
  });

  function factsOf(
    name: RequiredProfile,
    algorithm: KeyAlgorithmName,
    change: Partial<CertificateFacts> = {},
  ): CertificateFacts {
    const profile = certificateProfile(POLICIES, name);
    const { selfIssued } = CERTIFICATE_KINDS[profile.kind];
    const spki = keyOf(algorithm).spki;
    const signatures = { SM2: 'SM2-SM3', 'EC-P256': 'ECDSA-P256-SHA256', RSA: 'RSA-SHA256' } as const;
    return {
      serialNumber: Buffer.from('4a0000000000000000000000000000ff', 'hex'),
      issuer: {
        id: 'sm2-issuing',
        name: selfIssued ? SUBJECT_NAME : ISSUER_NAME,
        keyIdentifier: keyIdentifierSha1(spki),
        signatureAlgorithm: signatures[algorithm],
      },
      subject: SUBJECT_NAME,
      spki,
      notBefore: NOT_BEFORE,
      ...(profile.extensions.includes('subjectAltName') ? { subjectAltName: SAN } : {}),
      ...change,
    };
  }

  for (const name of REQUIRED_PROFILES) {
    it(`${name} gives certificates that pass every lint rule of their kind, warnings too`, () => {
      const profile = certificateProfile(POLICIES, name);
      for (const algorithm of profile.subjectKeys) {
        const tbs = encodeTbsCertificate(planCertificate(profile, PUBLICATION, factsOf(name, algorithm)));
        expect(certificateFindings(parseTbsCertificate(tbs), profile.kind), algorithm).to.deep.equal([]);
        expect(() => lintTbsCertificate(tbs, profile.kind)).not.to.throw();
      }
    });

    it(`${name} refuses keys of other algorithms`, () => {
      const profile = certificateProfile(POLICIES, name);
      for (const algorithm of ['SM2', 'EC-P256', 'RSA'] as const) {
        const work = (): unknown => planCertificate(profile, PUBLICATION, factsOf(name, algorithm));
        expect(refusalOf(work)?.code).to.equal(profile.subjectKeys.includes(algorithm) ? undefined : 'E_POLICY');
      }
    });
  }

  it('every profile lasts 3650 days at most, which GmSSL takes', () => {
    for (const profile of Object.values(POLICIES.profiles))
      expect(profile.validitySeconds).to.be.at.most(3650 * 86_400);
  });

  it('the pair of a gateway has the key usages of GM/T 0015 and is alike in all else', () => {
    const sign = planCertificate(
      certificateProfile(POLICIES, 'gateway-sign'),
      PUBLICATION,
      factsOf('gateway-sign', 'SM2'),
    );
    const enc = planCertificate(
      certificateProfile(POLICIES, 'gateway-enc'),
      PUBLICATION,
      factsOf('gateway-enc', 'SM2'),
    );
    const usage = (plan: typeof sign): string | undefined =>
      findExtension(plan.extensions, OID.keyUsage)?.value.toString('hex');
    expect(usage(sign)).to.equal('030206c0');
    expect(usage(enc)).to.equal('03020338');
    const others = (plan: typeof sign): object => ({
      ...plan,
      extensions: plan.extensions.filter((extension) => extension.oid !== OID.keyUsage),
    });
    expect(others(sign)).to.deep.equal(others(enc));
  });

  it('a CA certificate has the key usage 06, is critical, and bounds the path below an issuing CA', () => {
    const plan = planCertificate(certificateProfile(POLICIES, 'issuing'), PUBLICATION, factsOf('issuing', 'SM2'));
    expect(findExtension(plan.extensions, OID.keyUsage)?.value.toString('hex')).to.equal('03020106');
    expect(readExtension(plan.extensions, EXTENSIONS.basicConstraints)).to.deep.equal({ ca: true, pathLength: 0 });
  });

  it('the extended key usage of a bundle-signer is policy’s own and critical', () => {
    const plan = planCertificate(
      certificateProfile(POLICIES, 'bundle-signer'),
      PUBLICATION,
      factsOf('bundle-signer', 'RSA'),
    );
    const extension = findExtension(plan.extensions, OID.extendedKeyUsage);
    expect(extension?.critical).to.equal(true);
    expect(readExtension(plan.extensions, EXTENSIONS.extendedKeyUsage)).to.deep.equal([PUBLICATION.bundleSigner]);
  });

  it('the CRL addresses are the shard first and the complete one second', () => {
    expect(crlAddresses(PUBLICATION, 'sm2-issuing', '110000')).to.deep.equal([
      'http://pki.gov.cn/crl/sm2-issuing/110000.crl',
      'http://pki.gov.cn/crl/sm2-issuing.crl',
    ]);
    expect(crlAddresses(PUBLICATION, 'sm2-issuing')).to.have.length(1);
  });

  describe('the end of validity', () => {
    const profile = (): CertificateProfile => certificateProfile(POLICIES, 'application');
    const ends = (change: Partial<CertificateFacts>): Date =>
      planCertificate(profile(), PUBLICATION, factsOf('application', 'SM2', change)).notAfter;
    const issuerUntil = (days: number): Partial<CertificateFacts> => ({
      issuer: { ...factsOf('application', 'SM2').issuer, notAfter: new Date(NOT_BEFORE.getTime() + days * DAY) },
    });

    it('is that of the profile, or of the issuer where that is nearer', () => {
      expect(ends({})).to.deep.equal(new Date(NOT_BEFORE.getTime() + 365 * DAY));
      expect(ends(issuerUntil(30))).to.deep.equal(new Date(NOT_BEFORE.getTime() + 30 * DAY));
      expect(ends({ notAfter: new Date(NOT_BEFORE.getTime() + DAY) })).to.deep.equal(
        new Date(NOT_BEFORE.getTime() + DAY),
      );
    });

    it('is refused beyond the profile, beyond the issuer and before the beginning', () => {
      const refused = (change: Partial<CertificateFacts>): string | undefined => refusalOf(() => ends(change))?.code;
      expect(refused({ notAfter: new Date(NOT_BEFORE.getTime() + 365 * DAY + 1000) })).to.equal('E_POLICY');
      expect(refused({ ...issuerUntil(30), notAfter: new Date(NOT_BEFORE.getTime() + 31 * DAY) })).to.equal('E_POLICY');
      expect(refused({ notAfter: NOT_BEFORE })).to.equal('E_POLICY');
      expect(refused(issuerUntil(-1))).to.equal('E_POLICY');
    });
  });

  it('asks for alternative names where the profile has them and refuses them elsewhere', () => {
    const plan = (name: RequiredProfile, subjectAltName: CertificateFacts['subjectAltName']) => (): unknown => {
      const { subjectAltName: _names, ...facts } = factsOf(name, 'SM2');
      const given = subjectAltName === undefined ? facts : { ...facts, subjectAltName };
      return planCertificate(certificateProfile(POLICIES, name), PUBLICATION, given);
    };
    expect(refusalOf(plan('gateway-sign', undefined))?.code).to.equal('E_POLICY');
    expect(refusalOf(plan('gateway-sign', []))?.code).to.equal('E_POLICY');
    expect(refusalOf(plan('application', SAN))?.code).to.equal('E_POLICY');
  });

  it('names every way in which two profiles are no pair', () => {
    const sign = certificateProfile(POLICIES, 'gateway-sign');
    const enc = certificateProfile(POLICIES, 'gateway-enc');
    expect(pairFaults(sign, enc)).to.deep.equal([]);
    expect(pairFaults(enc, sign)).to.have.length(4);
    expect(pairFaults(sign, { ...enc, validitySeconds: 1 })).to.deep.equal(['the validities differ']);
    expect(pairFaults(sign, { ...enc, keyPurposes: ['serverAuth'] })).to.deep.equal(['the extended key usages differ']);
    expect(pairFaults(sign, { ...enc, subjectKeys: ['RSA'] })).to.deep.equal(['the key algorithms differ']);
    expect(pairFaults({ ...sign, ca: {} }, enc)).to.deep.equal(['a half is a CA']);
    expect(pairFaults(sign, { ...enc, keyUsage: ['dataEncipherment'] })).to.deep.equal([
      'the encryption half lacks keyEncipherment',
    ]);
    expect(pairFaults({ ...sign, keyUsage: ['digitalSignature', 'keyAgreement'] }, enc)).to.deep.equal([
      'the signing half may encrypt',
    ]);
  });

  it('openssl reads a gateway certificate and finds what the profile says', () => {
    const key = keyOf('SM2');
    const plan = planCertificate(
      certificateProfile(POLICIES, 'gateway-enc'),
      PUBLICATION,
      factsOf('gateway-enc', 'SM2', { shard: '110000' }),
    );
    const tbs = encodeTbsCertificate(plan);
    const der = assembleCertificate(tbs, 'SM2-SM3', SIGNATURE_ALGORITHMS['SM2-SM3'].sign(key, tbs));
    expect(parseCertificate(der).keyUsage).to.deep.equal(['keyEncipherment', 'dataEncipherment', 'keyAgreement']);
    const text = withOpenssl((folder) => {
      folder.write('gw.der', der);
      return folder.run('x509', '-inform', 'DER', '-in', 'gw.der', '-noout', '-text').toString('utf8');
    });
    expect(text).to.include('Key Encipherment, Data Encipherment, Key Agreement');
    expect(text).to.include('TLS Web Server Authentication, TLS Web Client Authentication');
    expect(text).to.include('URI:http://pki.gov.cn/crl/sm2-issuing/110000.crl');
    expect(text).to.include('CA Issuers - URI:http://pki.gov.cn/ca/sm2-issuing.cer');
    expect(text).to.include('OCSP - URI:http://pki.gov.cn/ocsp');
    expect(text).to.include('Policy: 1.2.156.999.1.1');
    expect(text).to.include('DNS:gw-001.example.gov.cn');
  });
});
