import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { SIGNATURE_ALGORITHMS, signMessage } from '../../src/crypto/algorithms.ts';
import { assembleCertificate } from '../../src/x509/certificate.ts';
import { extensionOf, EXTENSIONS } from '../../src/x509/extensions.ts';
import { ALL_KINDS } from '../../src/x509/lint/certificate-kinds.ts';
import { encodeTbsCertificate } from '../../src/x509/tbs-certificate.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { refusal } from '../crypto/refusal.ts';
import { issue, KEYS, planOf, samplePlan, withExtension } from './sample-plans.ts';

const sample = issue(samplePlan('gateway-sign'), KEYS.ca.SM2);

describe('encodeTbsCertificate', () => {
  for (const kind of ALL_KINDS) {
    it(`writes a ${kind} certificate that node reads and that is written back byte for byte`, () => {
      const plan = samplePlan(kind);
      const certificate = issue(plan, KEYS.ca[SIGNATURE_ALGORITHMS[plan.signatureAlgorithm].keyAlgorithm]);
      expect(encodeTbsCertificate(planOf(certificate)).equals(certificate.tbs)).to.equal(true);
      expect(new X509Certificate(certificate.der).serialNumber.toLowerCase()).to.equal(
        plan.serialNumber.toString('hex'),
      );
    });
  }

  it('writes extensions that openssl prints with the meaning that was planned', () => {
    const plan = withExtension(
      samplePlan('gateway-sign'),
      extensionOf(EXTENSIONS.subjectAltName, [
        { type: 'dNSName', value: 'gw-001.example.gov.cn' },
        { type: 'iPAddress', value: '10.1.2.3' },
        { type: 'iPAddress', value: '2001:db8::1' },
        { type: 'uniformResourceIdentifier', value: 'urn:device:gw-001' },
        { type: 'directoryName', der: sample.issuer.der },
      ]),
    );
    const text = withOpenssl((folder) => {
      folder.write('c.der', issue(plan, KEYS.ca.SM2).der);
      folder.run('asn1parse', '-inform', 'DER', '-in', 'c.der');
      return folder.run('x509', '-inform', 'DER', '-in', 'c.der', '-noout', '-text').toString();
    });
    for (const line of [
      'X509v3 Key Usage: critical\n                Digital Signature, Non Repudiation',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'DNS:gw-001.example.gov.cn, IP Address:10.1.2.3, IP Address:2001:DB8:0:0:0:0:0:1, URI:urn:device:gw-001',
      'Policy: 1.2.156.999.1\n                  CPS: http://kmc.example.gov.cn/cps',
      'URI:http://kmc.example.gov.cn/crl/11.crl',
      'URI:http://kmc.example.gov.cn/crl/all.crl',
      'CA Issuers - URI:http://kmc.example.gov.cn/ca.crt',
      'OCSP - URI:http://kmc.example.gov.cn/ocsp',
    ]) {
      expect(text).to.include(line);
    }
  });

  it('makes a certificate whose signature openssl verifies under the default ID', () => {
    const root = issue(samplePlan('root'), KEYS.ca.SM2);
    withOpenssl((folder) => {
      folder.write('root.der', root.der);
      folder.write('leaf.der', sample.der);
      folder.run('x509', '-inform', 'DER', '-in', 'root.der', '-out', 'root.pem');
      folder.run('x509', '-inform', 'DER', '-in', 'leaf.der', '-out', 'leaf.pem');
      const verdict = folder.run(
        'verify',
        '-vfyopt',
        'distid:1234567812345678',
        '-attime',
        '1780000000',
        '-trusted',
        'root.pem',
        'leaf.pem',
      );
      expect(verdict.toString()).to.include('leaf.pem: OK');
    });
  });

  it('writes dates up to 2049 as UTCTime and later ones as GeneralizedTime', () => {
    const plan = {
      ...samplePlan('root'),
      notBefore: new Date('2049-12-31T23:59:59Z'),
      notAfter: new Date('2050-01-01T00:00:00Z'),
    };
    const tbs = encodeTbsCertificate(plan).toString('latin1');
    expect(tbs).to.include('\x17\x0d491231235959Z').and.to.include('\x18\x0f20500101000000Z');
  });

  for (const [what, serial] of [
    ['7 octets', '01020304050607'],
    ['8 octets that are zero', '0000000000000000'],
    ['leading zeros in the place of octets', '0000000000000001'],
    ['21 octets', '01'.repeat(21)],
    ['20 octets with the first bit set', 'ff'.repeat(20)],
  ] as const) {
    it(`refuses a serial number of ${what}`, () =>
      refusal('E_CERT', () =>
        encodeTbsCertificate({ ...samplePlan('root'), serialNumber: Buffer.from(serial, 'hex') }),
      ));
  }

  it('encodes and assembles in far less time than a signature takes', () => {
    const plan = samplePlan('gateway-sign');
    const signature = signMessage('SM2-SM3', KEYS.ca.SM2, sample.tbs);
    const rounds = 2_000;
    let best = Infinity;
    for (let round = 0; round < 5; round += 1) {
      const start = process.hrtime.bigint();
      for (let count = 0; count < rounds; count += 1) {
        assembleCertificate(encodeTbsCertificate(plan), 'SM2-SM3', signature);
      }
      best = Math.min(best, Number(process.hrtime.bigint() - start) / rounds / 1000);
    }
    expect(best, 'microseconds').to.be.lessThan(100);
  });
});
