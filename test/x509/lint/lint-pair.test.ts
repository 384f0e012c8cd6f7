import { expect } from 'chai';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { encodeTbsCertificate } from '../../../src/x509/certificate.ts';
import type { CertificatePlan } from '../../../src/x509/certificate.ts';
import { extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import { lintPair, PAIR_RULES } from '../../../src/x509/lint/lint-pair.ts';
import { lintTbsCertificate } from '../../../src/x509/lint/lint-tbs-certificate.ts';
import { refusal } from '../../crypto/refusal.ts';
import { CA_NAME, KEYS, samplePlan, withExtension, without } from '../sample-plans.ts';

const sign = samplePlan('gateway-sign');
const enc = samplePlan('gateway-enc');

const BAD_CASES: Readonly<Record<string, readonly [CertificatePlan, CertificatePlan]>> = {
  e_pair_subject: [sign, { ...enc, subject: CA_NAME }],
  e_pair_subject_alt_name: [
    sign,
    withExtension(enc, extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'other' }])),
  ],
  e_pair_issuer: [{ ...sign, issuer: sign.subject }, enc],
  e_pair_validity: [sign, { ...enc, notAfter: new Date(enc.notAfter.getTime() - 1_000) }],
  e_pair_algorithms: [sign, { ...enc, spki: KEYS.subject.RSA.spki }],
  e_pair_keys: [sign, { ...enc, spki: sign.spki }],
  e_pair_serial_numbers: [sign, { ...enc, serialNumber: sign.serialNumber }],
  e_pair_key_usage: [enc, sign],
  e_pair_extended_key_usage: [sign, withExtension(enc, extensionOf(EXTENSIONS.extendedKeyUsage, [OID.clientAuth]))],
};

function lint([first, second]: readonly [CertificatePlan, CertificatePlan]): void {
  lintPair(encodeTbsCertificate(first), encodeTbsCertificate(second));
}

describe('lintPair', () => {
  it('accepts the two certificates of one gateway', () => {
    expect(() => lint([sign, enc])).not.to.throw();
    const first = lintTbsCertificate(encodeTbsCertificate(sign), 'gateway-sign');
    const second = lintTbsCertificate(encodeTbsCertificate(enc), 'gateway-enc');
    expect(() => lintPair(first.certificate, second.certificate)).not.to.throw();
    expect(() => lintPair(second.certificate, first.certificate)).to.throw();
  });

  for (const { id } of PAIR_RULES) {
    it(`${id} finds its bad case`, async () => {
      const bad = BAD_CASES[id];
      if (bad === undefined) throw new Error(`no bad case for ${id}`);
      expect((await refusal('E_LINT', () => lint(bad))).message).to.include(id);
    });
  }

  it('compares subjectAltName with its criticality, and takes its absence in both', async () => {
    const critical = withExtension(
      enc,
      extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'gw-001.example.gov.cn' }], true),
    );
    await refusal('E_LINT', () => lint([sign, critical]));
    await refusal('E_LINT', () => lint([sign, without(enc, OID.subjectAltName)]));
    expect(() => lint([without(sign, OID.subjectAltName), without(enc, OID.subjectAltName)])).not.to.throw();
  });

  it('wants the same authorityKeyIdentifier', () => {
    const other = extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: Buffer.alloc(20, 1) });
    return refusal('E_LINT', () => lint([sign, withExtension(enc, other)]));
  });
});
