import { expect } from 'chai';
import * as fc from 'fast-check';
import { signMessage, verifySignature } from '../../src/crypto/algorithms.ts';
import { contextExplicit, generalizedTime, integer, sequence, time } from '../../src/crypto/asn1/der.ts';
import { KmcError } from '../../src/errors.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import {
  assembleCertificateList,
  encodeTbsCertList,
  parseCertificateList,
  parseTbsCertList,
} from '../../src/x509/crl.ts';
import type { CrlPlan, RevokedCertificate } from '../../src/x509/crl.ts';
import { CRL_REASONS } from '../../src/x509/extensions/crl.ts';
import { encodeExtensions, extensionOf, EXTENSIONS } from '../../src/x509/extensions.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { refusal } from '../crypto/refusal.ts';
import { derOf, GM_CERTIFICATES, GM_CRLS } from './gm-certificates.ts';
import { CA_CERTIFICATES, CA_NAME, KEYS, withFields } from './sample-plans.ts';

const ENTRIES: readonly RevokedCertificate[] = [
  { serialNumber: '0102030405060708', revocationDate: new Date('2026-02-01T00:00:00Z') },
  { serialNumber: '80ffffffffffffff', revocationDate: new Date('2026-02-02T03:04:05Z'), reason: 'keyCompromise' },
  {
    serialNumber: `7f${'00'.repeat(19)}`,
    revocationDate: new Date('2026-02-03T00:00:00Z'),
    reason: 'cessationOfOperation',
    invalidityDate: new Date('2026-01-15T00:00:00Z'),
  },
];

function plan(changes: Partial<CrlPlan> = {}): CrlPlan {
  return {
    signatureAlgorithm: 'SM2-SM3',
    issuer: CA_NAME,
    thisUpdate: new Date('2026-03-01T00:00:00Z'),
    nextUpdate: new Date('2026-03-08T00:00:00Z'),
    entries: ENTRIES,
    extensions: [
      extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: CA_CERTIFICATES.SM2.skid ?? Buffer.alloc(0) }),
      extensionOf(EXTENSIONS.crlNumber, 42n),
    ],
    ...changes,
  };
}

function signed(tbs: Buffer): Buffer {
  return assembleCertificateList(tbs, 'SM2-SM3', signMessage('SM2-SM3', KEYS.ca.SM2, tbs));
}

describe('a CRL', () => {
  it('is read back as it was planned, entries in their order', () => {
    const crl = parseCertificateList(signed(encodeTbsCertList(plan())));
    expect(crl.entries).to.deep.equal(ENTRIES);
    expect(crl.issuer.der.equals(CA_NAME)).to.equal(true);
    expect(crl.crlNumber).to.equal(42n);
    expect(crl.akid?.equals(CA_CERTIFICATES.SM2.skid ?? Buffer.alloc(0))).to.equal(true);
    expect(crl.thisUpdate).to.deep.equal(new Date('2026-03-01T00:00:00Z'));
    expect(crl.nextUpdate).to.deep.equal(new Date('2026-03-08T00:00:00Z'));
    expect(crl.deltaBase).to.equal(undefined);
    expect(crl.issuingDistributionPoint).to.equal(undefined);
    expect(verifySignature('SM2-SM3', KEYS.ca.SM2.spki, crl.tbs, crl.signature)).to.equal(true);
    expect(encodeTbsCertList({ ...plan(), entries: crl.entries }).equals(crl.tbs)).to.equal(true);
  });

  it('is printed by openssl with the meaning that was planned', () => {
    const scope = extensionOf(EXTENSIONS.issuingDistributionPoint, {
      distributionPoint: { fullName: [{ type: 'uniformResourceIdentifier', value: 'http://kmc/crl/11.crl' }] },
      onlyContainsUserCerts: true,
    });
    const text = withOpenssl((folder) => {
      folder.write('c.crl', signed(encodeTbsCertList(plan({ extensions: [...plan().extensions, scope] }))));
      folder.run('asn1parse', '-inform', 'DER', '-in', 'c.crl');
      return folder.run('crl', '-inform', 'DER', '-in', 'c.crl', '-noout', '-text').toString();
    });
    for (const line of [
      'Version 2 (0x1)',
      'Signature Algorithm: SM2-with-SM3',
      'X509v3 CRL Number: \n                42',
      'X509v3 Issuing Distribution Point: critical',
      'Only User Certificates',
      'Serial Number: 80FFFFFFFFFFFFFF',
      'Key Compromise',
      'Cessation Of Operation',
      'Invalidity Date: \n                Jan 15 00:00:00 2026 GMT',
    ]) {
      expect(text).to.include(line);
    }
  });

  it('without entries has no list of them', () => {
    const crl = parseTbsCertList(encodeTbsCertList(plan({ entries: [] })));
    expect(crl.entries).to.deep.equal([]);
  });

  it('takes its entries from any iterable, once', () => {
    function* stream(): Generator<RevokedCertificate> {
      yield* ENTRIES;
    }
    expect(encodeTbsCertList(plan({ entries: stream() })).equals(encodeTbsCertList(plan()))).to.equal(true);
  });

  it('writes every reason and reads it again', () => {
    const entries = CRL_REASONS.map((reason, at) => ({
      serialNumber: `0${at + 1}`.slice(-2),
      revocationDate: new Date('2026-02-01T00:00:00Z'),
      reason,
    }));
    expect(parseTbsCertList(encodeTbsCertList(plan({ entries }))).entries).to.deep.equal(entries);
  });

  it('of openssl is read', () => {
    withOpenssl((folder) => {
      folder.write('ca.der', CA_CERTIFICATES.RSA.der);
      folder.write('k.der', KEYS.ca.RSA.pkcs8);
      folder.run('x509', '-inform', 'DER', '-in', 'ca.der', '-out', 'ca.pem');
      folder.run('pkcs8', '-inform', 'DER', '-in', 'k.der', '-nocrypt', '-out', 'k.pem');
      folder.write(
        'index.txt',
        Buffer.from('R\t361120111423Z\t261101000000Z,superseded\t0A0B0C0D0E0F1011\tunknown\t/CN=a\n'),
      );
      folder.write('number', Buffer.from('2A\n'));
      folder.write(
        'ca.cnf',
        Buffer.from(
          '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid:always\n',
        ),
      );
      folder.run(
        'ca',
        '-config',
        'ca.cnf',
        '-gencrl',
        '-cert',
        'ca.pem',
        '-keyfile',
        'k.pem',
        '-crldays',
        '7',
        '-out',
        'c.pem',
      );
      folder.run('crl', '-in', 'c.pem', '-outform', 'DER', '-out', 'c.der');
      const crl = parseCertificateList(folder.read('c.der'));
      expect(crl.crlNumber).to.equal(42n);
      expect(crl.entries).to.deep.equal([
        { serialNumber: '0a0b0c0d0e0f1011', revocationDate: new Date('2026-11-01T00:00:00Z'), reason: 'superseded' },
      ]);
      expect(verifySignature('RSA-SHA256', KEYS.ca.RSA.spki, crl.tbs, crl.signature)).to.equal(true);
    });
  });

  for (const vector of GM_CRLS) {
    it(`of ${vector.source} is read and verifies under its issuer`, () => {
      const crl = parseCertificateList(derOf(vector));
      const issuer = GM_CERTIFICATES.find(({ name }) => name === vector.issuer);
      const { spki, subject } = parseCertificate(Buffer.from(issuer?.b64 ?? '', 'base64'));
      expect(crl.issuer.der.equals(subject.der)).to.equal(true);
      expect(verifySignature('SM2-SM3', spki, crl.tbs, crl.signature)).to.equal(true);
      expect(crl.entries).to.deep.equal([
        {
          serialNumber: 'cde4cfee86e5b314bfb3553d',
          revocationDate: new Date('2026-11-23T11:23:04Z'),
          reason: 'keyCompromise',
          invalidityDate: new Date('2026-11-01T00:00:00Z'),
        },
      ]);
    });
  }
});

describe('parseTbsCertList', () => {
  const good = encodeTbsCertList(plan());
  const date = time(new Date('2026-02-01T00:00:00Z'));
  const entry = (extensions: Parameters<typeof encodeExtensions>[0]): Buffer =>
    sequence(sequence(integer(5), date, encodeExtensions(extensions)));
  const reason = extensionOf(EXTENSIONS.reasonCode, 'superseded');

  const REFUSED: readonly (readonly [string, Buffer])[] = [
    ['version 1', withFields(good, { 0: undefined })],
    ['version 3', withFields(good, { 0: integer(2) })],
    ['an empty list of entries', withFields(good, { 5: sequence() })],
    ['an empty list of extensions', withFields(good, { 6: contextExplicit(0, sequence()) })],
    [
      'an extension twice',
      withFields(good, { 6: contextExplicit(0, encodeExtensions([...plan().extensions, ...plan().extensions])) }),
    ],
    ['an extension twice in an entry', withFields(good, { 5: entry([reason, reason]) })],
    ['an empty issuer', withFields(good, { 2: sequence() })],
  ];
  for (const [what, der] of REFUSED) {
    it(`refuses ${what} with E_CRL`, () => refusal('E_CRL', () => parseTbsCertList(der)));
  }

  const NOT_DER: readonly (readonly [string, Buffer])[] = [
    ['octets behind the list', Buffer.concat([good, Buffer.from([0])])],
    [
      'a GeneralizedTime before 2050 in thisUpdate',
      withFields(good, { 3: generalizedTime(new Date('2026-03-01T00:00:00Z')) }),
    ],
    [
      'a reasonCode without meaning',
      withFields(good, { 5: entry([{ ...reason, value: Buffer.from('0a0107', 'hex') }]) }),
    ],
    ['an entry without a date', withFields(good, { 5: sequence(sequence(integer(5))) })],
    ['an entry that is no SEQUENCE', withFields(good, { 5: sequence(integer(5)) })],
    [
      'a field behind the extensions',
      withFields(good, { 6: Buffer.concat([contextExplicit(0, encodeExtensions(plan().extensions)), integer(1)]) }),
    ],
  ];
  for (const [what, der] of NOT_DER) {
    it(`refuses ${what} with E_DER`, () => refusal('E_DER', () => parseTbsCertList(der)));
  }

  it('refuses a CRL above 32 MiB before looking into it', () =>
    refusal('E_SIZE', () => parseCertificateList(Buffer.alloc(33_554_433, 0x30))));

  it('refuses different algorithms inside and outside', () => {
    const outer = assembleCertificateList(good, 'ECDSA-P256-SHA256', Buffer.alloc(8));
    return refusal('E_DER', () => parseCertificateList(outer));
  });

  it('tells of critical entry extensions that it does not understand, and of other issuers', () => {
    const unknown = { oid: '1.2.3', critical: true, value: Buffer.from('0500', 'hex') };
    const misplaced = extensionOf(EXTENSIONS.basicConstraints, { ca: true }, true);
    const issuer = extensionOf(EXTENSIONS.certificateIssuer, [{ type: 'directoryName', der: CA_NAME }]);
    const read = (extensions: Parameters<typeof encodeExtensions>[0]): unknown =>
      parseTbsCertList(withFields(good, { 5: entry(extensions) })).entries[0];
    expect(read([reason, unknown])).to.include({ unknownCritical: '1.2.3', reason: 'superseded' });
    expect(read([misplaced])).to.include({ unknownCritical: misplaced.oid });
    expect(read([issuer]))
      .to.include({ ofOtherIssuer: true })
      .and.not.to.have.property('unknownCritical');
  });

  it('keeps the order of a foreign CRL that is not sorted', () => {
    const entries = ENTRIES.toReversed();
    expect(parseTbsCertList(encodeTbsCertList(plan({ entries }))).entries).to.deep.equal(entries);
  });

  it('reads a foreign CRL without nextUpdate', () => {
    expect(parseTbsCertList(withFields(good, { 4: undefined })).nextUpdate).to.equal(undefined);
  });

  it('refuses each changed octet with a KmcError, or writes back exactly what it read', () => {
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(good);
        changed[at] = (changed[at] ?? 0) ^ mask;
        let crl;
        let again;
        try {
          crl = parseTbsCertList(changed);
          again = encodeTbsCertList({ ...crl, issuer: crl.issuer.der, nextUpdate: crl.nextUpdate ?? new Date(0) });
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
          return;
        }
        // An entry does not keep a GeneralizedTime nor a non-critical extension that is not understood: both take octets.
        if (again.length === changed.length) expect(again.equals(changed)).to.equal(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a CRL of 100,000 entries', () => {
  it('is written in about a second and read again', function time100k() {
    this.timeout(60_000);
    const entries = Array.from({ length: 100_000 }, (_unused, at) => ({
      serialNumber: `10${(at * 7919 + 123_456_789).toString(16).padStart(30, '0')}`,
      revocationDate: new Date(Date.UTC(2026, 0, 1, 0, 0, at % 86_400)),
      reason: 'keyCompromise' as const,
    }));
    const start = process.cpuUsage();
    const tbs = encodeTbsCertList(plan({ entries }));
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1_000_000, 'seconds').to.be.lessThan(4);
    const crl = parseTbsCertList(tbs);
    expect(crl.entries).to.have.length(100_000);
    expect(crl.entries.at(-1)).to.deep.equal(entries.at(-1));
  });
});
