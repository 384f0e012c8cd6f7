/** Revocation by CRLs: the rfc5280::crl cases of x509-limbo (C2SP/x509-limbo) and A20 of the bad-input corpus. */
import { expect } from 'chai';
import { integer, sequence, time } from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import type { CertificateList } from '../../../src/x509/crl.ts';
import { distributionPointsOf } from '../../../src/x509/extensions/access.ts';
import type { IssuingDistributionPoint } from '../../../src/x509/extensions/crl.ts';
import { encodeExtensions, extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Extension } from '../../../src/x509/extensions.ts';
import { validatePath } from '../../../src/x509/path.ts';
import type { PathRule } from '../../../src/x509/path.ts';
import { fromNow, makeCa, makeCrl, makeLeaf, NOW, PRIVATE_EXTENSION } from './test-authority.ts';
import type { CrlTraits, Holder } from './test-authority.ts';
import { processorTime } from '../../crypto/asn1/processor-time.ts';

const HOUR = 3_600_000;

let root: Holder;
let leaf: Certificate;
let stranger: Certificate;

function rulesWith(crls: readonly CertificateList[], anchor = root, subject = leaf): PathRule[] {
  const verdict = validatePath({
    leaf: subject,
    anchors: [anchor.certificate],
    intermediates: [],
    at: NOW,
    purpose: 'any',
    crls,
  });
  return verdict.valid ? [] : verdict.reasons.map(({ rule }) => rule);
}

function entry(certificate: Certificate, extension: Extension): Buffer {
  return sequence(
    integer(Buffer.from(certificate.serialNumber, 'hex')),
    time(fromNow(-HOUR)),
    encodeExtensions([extension]),
  );
}

function scope(value: IssuingDistributionPoint): Extension {
  return extensionOf(EXTENSIONS.issuingDistributionPoint, value);
}

describe('revocation by CRLs', () => {
  before(async () => {
    root = await makeCa();
    leaf = (await makeLeaf(root)).certificate;
    stranger = (await makeLeaf(root)).certificate;
  });

  const cases: readonly [string, () => CrlTraits, readonly PathRule[]][] = [
    ['revoked-certificate-with-crl', () => ({ revoked: [leaf] }), ['revoked']],
    ['certificate-not-on-crl', () => ({ revoked: [stranger] }), []],
    ['crl-empty', () => ({}), []],
    ['crlnumber-missing', () => ({ without: [OID.crlNumber] }), ['crl-number']],
    ['crlnumber-critical', () => ({ extensions: [extensionOf(EXTENSIONS.crlNumber, 7n, true)] }), ['crl-number']],
    ['crl-unknown-critical-extension', () => ({ extensions: [PRIVATE_EXTENSION] }), ['crl-unknown-critical']],
    ['crl-unknown-noncritical-extension', () => ({ extensions: [{ ...PRIVATE_EXTENSION, critical: false }] }), []],
    [
      'entry-unknown-critical-extension',
      () => ({ entries: [entry(stranger, PRIVATE_EXTENSION)] }),
      ['crl-unknown-critical'],
    ],
    [
      'entry-unknown-noncritical-extension',
      () => ({ entries: [entry(leaf, { ...PRIVATE_EXTENSION, critical: false })] }),
      ['revoked'],
    ],
    ['this-update-in-future', () => ({ thisUpdate: fromNow(1000) }), ['crl-not-yet-valid']],
    ['next-update-in-past', () => ({ nextUpdate: fromNow(-1000) }), ['crl-stale']],
    ['nextUpdate at this very time', () => ({ nextUpdate: NOW }), []],
    ['nextUpdate missing', () => ({ nextUpdate: 'absent' }), ['crl-stale']],
    [
      'a stale CRL that lists the certificate',
      () => ({ nextUpdate: fromNow(-1000), revoked: [leaf] }),
      ['revoked', 'crl-stale'],
    ],
    [
      'revocation-date-in-future',
      () => ({ revoked: [{ serialNumber: leaf.serialNumber, revocationDate: fromNow(HOUR) }] }),
      ['revoked'],
    ],
    [
      'an entry for an unknown serial',
      () => ({ revoked: [{ serialNumber: 'ffffffffffff', revocationDate: NOW }] }),
      [],
    ],
    ['a delta CRL alone', () => ({ extensions: [extensionOf(EXTENSIONS.deltaCrlIndicator, 1n)] }), ['crl-scope']],
    ['an indirect CRL', () => ({ extensions: [scope({ indirectCRL: true })] }), ['crl-scope']],
    ['a CRL for CA certificates', () => ({ extensions: [scope({ onlyContainsCACerts: true })] }), ['crl-scope']],
    ['a CRL for some reasons', () => ({ extensions: [scope({ onlySomeReasons: ['keyCompromise'] })] }), ['crl-scope']],
    ['a CRL for user certificates', () => ({ extensions: [scope({ onlyContainsUserCerts: true })] }), []],
    [
      'a CRL whose extensions are missing',
      () => ({ without: [OID.crlNumber, OID.authorityKeyIdentifier] }),
      ['crl-number'],
    ],
  ];
  for (const [id, traits, broken] of cases) {
    it(`${id}: ${broken.join(', ') || 'valid'}`, () => {
      expect(rulesWith([makeCrl(root, traits())])).to.deep.equal([...broken]);
    });
  }

  it('refuses a CRL of an issuer without cRLSign, and accepts one without any keyUsage', async () => {
    const noCrlSign = await makeCa(undefined, { keyUsage: ['keyCertSign'] });
    const one = await makeLeaf(noCrlSign);
    expect(rulesWith([makeCrl(noCrlSign)], noCrlSign, one.certificate)).to.deep.equal(['crl-issuer']);
    const noKeyUsage = await makeCa(undefined, { without: [OID.keyUsage] });
    const other = await makeLeaf(noKeyUsage);
    expect(rulesWith([makeCrl(noKeyUsage)], noKeyUsage, other.certificate)).to.deep.equal([]);
  });

  it('refuses a CRL signed by another key and does not believe what it lists', async () => {
    const forger = await makeCa();
    const forged = makeCrl(forger, { issuer: root.certificate.subject.der, revoked: [leaf] });
    expect(rulesWith([forged])).to.deep.equal(['crl-signature']);
  });

  it('ignores the CRL of another issuer, so that its serial numbers do not count', async () => {
    const other = await makeCa();
    const foreign = makeCrl(other, { revoked: [leaf] });
    expect(rulesWith([foreign])).to.deep.equal(['crl-missing']);
    expect(rulesWith([foreign, makeCrl(root)])).to.deep.equal([]);
  });

  it('wants a CRL for every certificate below the anchor', async () => {
    const ca = await makeCa(root);
    const below = await makeLeaf(ca);
    const rules = (crls: CertificateList[]): unknown => {
      const verdict = validatePath({
        leaf: below.certificate,
        anchors: [root.certificate],
        intermediates: [ca.certificate],
        at: NOW,
        purpose: 'any',
        crls,
      });
      return verdict.valid ? [] : verdict.reasons.map(({ rule, subject }) => [rule, subject]);
    };
    expect(rules([makeCrl(ca), makeCrl(root)])).to.deep.equal([]);
    expect(rules([makeCrl(ca)])).to.deep.equal([['crl-missing', ca.certificate.subject.text]]);
    expect(rules([])).to.have.length(2);
    expect(rules([makeCrl(ca), makeCrl(root, { revoked: [ca.certificate] })])).to.deep.equal([
      ['revoked', ca.certificate.subject.text],
    ]);
  });

  it('lets the newest usable CRL decide', () => {
    const held = makeCrl(root, { number: 1, thisUpdate: fromNow(-2 * HOUR), revoked: [leaf] });
    const released = makeCrl(root, { number: 2, thisUpdate: fromNow(-HOUR) });
    const stale = makeCrl(root, { number: 3, thisUpdate: fromNow(-HOUR / 2), nextUpdate: fromNow(-1000) });
    expect(rulesWith([held, released])).to.deep.equal([]);
    expect(rulesWith([released, held])).to.deep.equal([]);
    expect(rulesWith([held, stale])).to.include('revoked');
  });

  it('refuses a newest CRL whose number went down', () => {
    const older = makeCrl(root, { number: 9, thisUpdate: fromNow(-2 * HOUR) });
    const newer = makeCrl(root, { number: 8, thisUpdate: fromNow(-HOUR) });
    expect(rulesWith([older, newer])).to.deep.equal(['crl-number']);
  });

  it('takes a partitioned CRL only for certificates that point to it', async () => {
    const uri = 'http://crl.test/part-1.crl';
    const points = extensionOf(EXTENSIONS.crlDistributionPoints, distributionPointsOf([uri]));
    const pointed = (await makeLeaf(root, { extensions: [points] })).certificate;
    const part = makeCrl(root, {
      revoked: [pointed],
      extensions: [scope({ distributionPoint: { fullName: [{ type: 'uniformResourceIdentifier', value: uri }] } })],
    });
    expect(rulesWith([part], root, pointed)).to.deep.equal(['revoked']);
    expect(rulesWith([part])).to.deep.equal(['crl-scope']);
  });

  it('answers quickly from a CRL of 100,000 entries once it is read', () => {
    const revoked = Array.from({ length: 100_000 }, (_unused, index) => ({
      serialNumber: (0x7000000000 + index).toString(16),
      revocationDate: fromNow(-HOUR),
    }));
    const crl = makeCrl(root, { revoked });
    const started = processorTime();
    expect(rulesWith([crl])).to.deep.equal([]);
    expect(started()).to.be.below(1000);
    const again = processorTime();
    expect(rulesWith([crl])).to.deep.equal([]);
    expect(again()).to.be.below(100);
  });
});
