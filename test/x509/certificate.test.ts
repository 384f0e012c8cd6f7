import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  boolean,
  contextExplicit,
  contextPrimitive,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  set,
} from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { KmcError } from '../../src/errors.ts';
import {
  assembleCertificate,
  encodeTbsCertificate,
  parseCertificate,
  sm3Fingerprint,
} from '../../src/x509/certificate.ts';
import { encodeExtensions, extensionOf, EXTENSIONS, findExtension } from '../../src/x509/extensions.ts';
import { isConformingSerialNumber } from '../../src/x509/serial-number.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { refusal } from '../crypto/refusal.ts';
import { derOf, GM_CERTIFICATES } from './gm-certificates.ts';
import { identifierOf, issue, KEYS, planOf, samplePlan, withFields } from './sample-plans.ts';

const sample = issue(samplePlan('gateway-sign'), KEYS.ca.SM2);

/** The sample with fields of its TBSCertificate replaced (0 version, 1 serial, 2 algorithm, 3 issuer, 4 validity, ...). */
function tampered(fields: Readonly<Record<number, Buffer | undefined>>, algorithm = identifierOf('SM2-SM3')): Buffer {
  return withFields(sample.der, { 0: withFields(sample.tbs, fields), 1: algorithm });
}

describe('parseCertificate', () => {
  for (const vector of GM_CERTIFICATES) {
    it(`reads ${vector.name} (${vector.source})`, () => {
      const certificate = parseCertificate(derOf(vector));
      expect(certificate.serialNumber).to.equal(vector.serial.replace(/^00(?=.)/, ''));
      expect(certificate.signatureAlgorithm).to.equal('SM2-SM3');
      expect(certificate.keyAlgorithm).to.equal('SM2');
      expect(certificate.spki.toString('hex')).to.include(vector.pubkey);
      const usage = findExtension(certificate.extensions, OID.keyUsage);
      expect(usage?.value.toString('hex') ?? null).to.equal(vector.keyUsage_der);
      expect(usage?.critical ?? null).to.equal(vector.keyUsage_critical);
    });

    it(`agrees with node on ${vector.name}`, () => {
      const certificate = parseCertificate(derOf(vector));
      const other = new X509Certificate(derOf(vector));
      expect(BigInt(`0x${certificate.serialNumber}`)).to.equal(BigInt(`0x${other.serialNumber}`));
      expect(certificate.notBefore.getTime()).to.equal(Date.parse(other.validFrom));
      expect(certificate.notAfter.getTime()).to.equal(Date.parse(other.validTo));
      expect(certificate.basicConstraints?.ca ?? false).to.equal(other.ca);
    });
  }

  it('writes back byte for byte every sample that is written as this product writes', () => {
    const ours = GM_CERTIFICATES.filter(
      ({ sig_params: parameters, serial }) => parameters === 'absent' && serial.length >= 16,
    );
    expect(ours.length).to.be.greaterThan(15);
    for (const vector of ours) {
      const certificate = parseCertificate(derOf(vector));
      expect(encodeTbsCertificate(planOf(certificate)).equals(certificate.tbs), vector.name).to.equal(true);
    }
  });

  it('takes a certificate that openssl made for an SM2, a P-256 and an RSA key', () => {
    withOpenssl((folder) => {
      for (const [name, key] of Object.entries({
        SM2: KEYS.subject.SM2,
        P256: KEYS.subject['EC-P256'],
        RSA: KEYS.subject.RSA,
      })) {
        folder.write('key.der', key.pkcs8);
        folder.run('pkcs8', '-inform', 'DER', '-in', 'key.der', '-nocrypt', '-out', 'key.pem');
        folder.run(
          'req',
          '-x509',
          '-key',
          'key.pem',
          '-subj',
          '/C=CN/O=测试/CN=root',
          '-utf8',
          '-days',
          '30',
          '-outform',
          'DER',
          '-out',
          'c.der',
        );
        const certificate = parseCertificate(folder.read('c.der'));
        expect(certificate.subject.text, name).to.equal('CN=root,O=测试,C=CN');
        expect(certificate.basicConstraints).to.deep.equal({ ca: true });
        expect(certificate.skid?.equals(certificate.akid ?? Buffer.alloc(0))).to.equal(true);
      }
    });
  });

  it('keeps the serial number of an old anchor, and says that it does not conform', () => {
    for (const [content, text] of [
      ['00', '00'],
      ['ff', '-01'],
      ['ff00', '-0100'],
      [`00${'ff'.repeat(20)}`, 'ff'.repeat(20)],
    ] as const) {
      const serial = Buffer.concat([Buffer.from([0x02, content.length / 2]), Buffer.from(content, 'hex')]);
      const certificate = parseCertificate(tampered({ 1: serial }));
      expect(certificate.serialNumber).to.equal(text);
      expect(isConformingSerialNumber(certificate.serialNumber), text).to.equal(false);
    }
    for (const text of ['01', '7f', '80', `7f${'ff'.repeat(19)}`, 'ff'.repeat(19)]) {
      expect(isConformingSerialNumber(text), text).to.equal(true);
    }
  });

  const NOT_DER: readonly (readonly [string, Buffer])[] = [
    [
      'an extension that is no SEQUENCE',
      tampered({
        7: contextExplicit(3, sequence(set(oid(OID.keyUsage), octetString(Buffer.from('030206c0', 'hex'))))),
      }),
    ],
    ['octets behind the certificate', Buffer.concat([sample.der, Buffer.from([0])])],
    ['different algorithms inside and outside', tampered({}, identifierOf('ECDSA-P256-SHA256'))],
    ['NULL parameters outside only', tampered({}, sequence(oid(OID.sm2SignWithSm3), nullValue()))],
    [
      'a critical FALSE that is written out',
      tampered({
        7: contextExplicit(
          3,
          sequence(sequence(oid(OID.keyUsage), boolean(false), octetString(Buffer.from('030206c0', 'hex')))),
        ),
      }),
    ],
    [
      'octets behind an extension value',
      tampered({
        7: contextExplicit(
          3,
          sequence(sequence(oid(OID.basicConstraints), octetString(Buffer.from('30000500', 'hex')))),
        ),
      }),
    ],
    [
      'a default cA FALSE that is written out',
      tampered({
        7: contextExplicit(
          3,
          sequence(sequence(oid(OID.basicConstraints), octetString(Buffer.from('3003010100', 'hex')))),
        ),
      }),
    ],
    ['a version that is not an INTEGER', tampered({ 0: contextExplicit(0, nullValue()) })],
    [
      'a GeneralizedTime before 2050 in the validity',
      tampered({
        4: sequence(
          Buffer.from('180f32303236303130313030303030305a', 'hex'),
          Buffer.from('180f32303237303130313030303030305a', 'hex'),
        ),
      }),
    ],
    ['a serial number of 65 octets', tampered({ 1: integer(Buffer.alloc(65, 0x11)) })],
    ['no certificate at all', Buffer.from('hello')],
  ];
  for (const [what, der] of NOT_DER) {
    it(`refuses ${what} with E_DER`, () => refusal('E_DER', () => parseCertificate(der)));
  }

  const usage = extensionOf(EXTENSIONS.keyUsage, ['digitalSignature']);
  const NOT_ACCEPTABLE: readonly (readonly [string, Buffer])[] = [
    ['version 1', tampered({ 0: undefined, 7: undefined })],
    ['version 2', tampered({ 0: contextExplicit(0, integer(1)) })],
    ['an extension twice', tampered({ 7: contextExplicit(3, encodeExtensions([usage, usage])) })],
    ['an empty list of extensions', tampered({ 7: contextExplicit(3, sequence()) })],
    [
      '33 extensions',
      tampered({
        7: contextExplicit(
          3,
          encodeExtensions(
            Array.from({ length: 33 }, (_unused, at) => ({
              oid: `1.2.3.${at}`,
              critical: false,
              value: Buffer.alloc(1),
            })),
          ),
        ),
      }),
    ],
    ['an issuerUniqueID', tampered({ 7: contextPrimitive(1, Buffer.from([0, 1])) })],
    ['an empty issuer', tampered({ 3: sequence() })],
    [
      'an end before the beginning',
      tampered({
        4: sequence(
          Buffer.from('170d3237303130313030303030305a', 'hex'),
          Buffer.from('170d3236303130313030303030305a', 'hex'),
        ),
      }),
    ],
  ];
  for (const [what, der] of NOT_ACCEPTABLE) {
    it(`refuses ${what} with E_CERT`, () => refusal('E_CERT', () => parseCertificate(der)));
  }

  it('refuses a certificate above 64 KiB before looking into it', async () => {
    const huge = { oid: '1.2.3', critical: false, value: Buffer.alloc(70_000) };
    await refusal('E_SIZE', () => parseCertificate(tampered({ 7: contextExplicit(3, encodeExtensions([huge])) })));
  });

  it('refuses a public key that is not on its curve', () => {
    const spki = Buffer.from(sample.spki);
    spki[spki.length - 1] = (spki.at(-1) ?? 0) ^ 1;
    return refusal('E_POINT', () => parseCertificate(tampered({ 6: spki })));
  });

  it('refuses a signature algorithm that it does not know', () =>
    refusal('E_SIGNATURE', () => parseCertificate(tampered({}, sequence(oid('1.2.3'))))));

  it('refuses each changed octet with a KmcError, or writes back exactly what it read', () => {
    fc.assert(
      fc.property(fc.nat({ max: sample.der.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(sample.der);
        changed[at] = (changed[at] ?? 0) ^ mask;
        try {
          const read = parseCertificate(changed);
          const { signatureAlgorithm, signature } = read;
          const again = assembleCertificate(encodeTbsCertificate(planOf(read)), signatureAlgorithm, signature);
          expect(again.equals(changed)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses every cut and every random input with a KmcError', () => {
    for (let length = 0; length < sample.der.length; length += 7) {
      expect(() => parseCertificate(sample.der.subarray(0, length))).to.throw(KmcError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseCertificate(Buffer.from(bytes))).to.throw(KmcError);
      }),
    );
  });
});

describe('sm3Fingerprint', () => {
  it('is SM3 over the DER, as openssl computes it', () => {
    const digest = withOpenssl((folder) => {
      folder.write('c.der', sample.der);
      return folder.run('dgst', '-sm3', '-r', 'c.der').toString().split(' ')[0];
    });
    expect(sm3Fingerprint(sample.der)).to.equal(`sm3:${digest}`);
  });
});
