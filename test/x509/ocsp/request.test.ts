import { expect } from 'chai';
import fc from 'fast-check';
import {
  boolean,
  contextExplicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  utf8String,
} from '../../../src/crypto/asn1/der.ts';
import { IDENTIFIER_DIGEST_NAMES } from '../../../src/crypto/digests.ts';
import { KmcError } from '../../../src/errors.ts';
import { CertIdIssuer, encodeCertId, isIssuedBy } from '../../../src/x509/ocsp/cert-id.ts';
import { MAX_OCSP_REQUEST_OCTETS, parseOcspRequest } from '../../../src/x509/ocsp/request.ts';
import { withOpenssl } from '../../crypto/openssl.ts';
import { encodePem } from '../../../src/crypto/asn1/pem.ts';
import { refusalCode } from '../../crypto/asn1/refusal-code.ts';
import { theEstate } from '../../fixtures/estate.ts';
import { nonceExtension, ocspRequest, withNonce } from './ocsp-request.ts';

const SERIAL = '5a0102030405060708';

describe('parseOcspRequest', () => {
  let issuer: CertIdIssuer;
  let other: CertIdIssuer;
  let certificate: Buffer;
  before(async () => {
    const { subject, spki, der } = (await theEstate()).issuing.certificate;
    issuer = new CertIdIssuer({ name: subject.der, spki });
    other = new CertIdIssuer({ name: Buffer.from('3000', 'hex'), spki });
    certificate = der;
  });
  const certId = (serial = SERIAL) => encodeCertId('sha1', issuer, serial);
  const code = (der: Buffer) => refusalCode(() => parseOcspRequest(der));

  it('reads what a CertID names, with SHA-1, SHA-256 and SM3', () => {
    for (const digest of IDENTIFIER_DIGEST_NAMES) {
      const der = encodeCertId(digest, issuer, SERIAL);
      const [read] = parseOcspRequest(ocspRequest([der])).certIds;
      expect(read).to.include({ digest, serialNumber: SERIAL });
      expect(read?.der.equals(der)).to.equal(true);
      expect(read !== undefined && isIssuedBy(read, issuer)).to.equal(true);
      expect(read !== undefined && isIssuedBy(read, other)).to.equal(false);
    }
  });

  it('reads what openssl asks, with its nonce', () => {
    withOpenssl((folder) => {
      folder.write('ca.pem', Buffer.from(encodePem('CERTIFICATE', certificate)));
      for (const digest of ['sha1', 'sha256']) {
        folder.run('ocsp', `-${digest}`, '-issuer', 'ca.pem', '-serial', `0x${SERIAL}`, '-reqout', 'out.der');
        const { certIds, nonce } = parseOcspRequest(folder.read('out.der'));
        expect(certIds).to.have.length(1);
        expect(certIds[0]).to.include({ digest, serialNumber: SERIAL });
        expect(certIds[0] !== undefined && isIssuedBy(certIds[0], issuer)).to.equal(true);
        expect(nonce?.length).to.be.at.least(16);
      }
    });
  });

  it('takes a nonce of 1 to 128 octets and no other (RFC 9654 2.1)', () => {
    for (const octets of [1, 15, 16, 32, 33, 128]) {
      expect(parseOcspRequest(withNonce([certId()], octets)).nonce?.length).to.equal(octets);
    }
    for (const octets of [0, 129, 200]) expect(code(withNonce([certId()], octets)), `${octets}`).to.equal('E_SCHEMA');
    const bare = sequence(sequence(oid('1.3.6.1.5.5.7.48.1.2'), octetString(Buffer.alloc(20, 1))));
    expect(code(ocspRequest([certId()], bare)), 'no OCTET STRING inside').to.equal('E_DER');
  });

  it('takes 100 certificates and not one more, and no request above 16 KiB', () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => certId(`5a${String(1000 + index)}`));
    expect(parseOcspRequest(ocspRequest(many(100))).certIds).to.have.length(100);
    expect(code(ocspRequest(many(101)))).to.equal('E_SCHEMA');
    expect(code(ocspRequest([]))).to.equal('E_SCHEMA');
    const large = ocspRequest(many(9_000));
    expect(large.length).to.be.above(MAX_OCSP_REQUEST_OCTETS);
    const start = process.cpuUsage();
    expect(code(large)).to.equal('E_SIZE');
    expect(process.cpuUsage(start).user).to.be.below(50_000);
  });

  it('passes over name, signature and extensions that are not critical; refuses those that are', () => {
    const list = sequence(sequence(certId()));
    const name = contextExplicit(1, Buffer.from([0x86, 0x01, 0x61]));
    const signature = contextExplicit(0, sequence(nullValue()));
    const version = (number: number) => contextExplicit(0, integer(number));
    expect(parseOcspRequest(sequence(sequence(name, list), signature)).certIds).to.have.length(1);
    expect(parseOcspRequest(sequence(sequence(version(0), list))).certIds).to.have.length(1);
    expect(code(sequence(sequence(version(1), list)))).to.equal('E_SCHEMA');
    const unknown = (critical: boolean) =>
      sequence(sequence(oid('1.2.3.4'), ...(critical ? [boolean(true)] : []), octetString(utf8String('x'))));
    expect(parseOcspRequest(ocspRequest([certId()], unknown(false))).nonce).to.equal(undefined);
    expect(code(ocspRequest([certId()], unknown(true)))).to.equal('E_SCHEMA');
    const single = (critical: boolean) =>
      sequence(sequence(sequence(sequence(certId(), contextExplicit(0, unknown(critical))))));
    expect(parseOcspRequest(single(false)).certIds).to.have.length(1);
    expect(code(single(true))).to.equal('E_SCHEMA');
    const twice = nonceExtension(Buffer.alloc(16)).subarray(2);
    expect(code(ocspRequest([certId()], sequence(twice, twice)))).to.equal('E_SCHEMA');
  });

  it('names no digest where it knows none, or where the parameters are strange', () => {
    const parts = (...algorithm: Buffer[]) =>
      sequence(sequence(...algorithm), octetString(Buffer.alloc(20)), octetString(Buffer.alloc(20)), integer(5));
    for (const algorithm of [[oid('1.2.3.4')], [oid('1.3.14.3.2.26'), octetString(Buffer.alloc(1))]]) {
      const [read] = parseOcspRequest(ocspRequest([parts(...algorithm)])).certIds;
      expect(read?.digest).to.equal(undefined);
      expect(read !== undefined && isIssuedBy(read, issuer)).to.equal(false);
    }
  });

  it('refuses or reads whatever octets it is given, and reads again what it read', () => {
    const good = withNonce([certId()], 20);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const altered = Buffer.from(good);
        altered[at] = (altered[at] ?? 0) ^ change;
        try {
          const { certIds, nonce } = parseOcspRequest(altered);
          const again = ocspRequest(
            certIds.map(({ der }) => der),
            nonce === undefined ? undefined : nonceExtension(nonce),
          );
          expect(parseOcspRequest(again)).to.deep.equal({ certIds, nonce });
        } catch (error) {
          if (!(error instanceof KmcError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
    expect(code(good.subarray(0, good.length - 1))).to.equal('E_DER');
    expect(code(Buffer.concat([good, Buffer.from([0])]))).to.equal('E_DER');
    expect(code(Buffer.alloc(0))).to.equal('E_DER');
  });
});
