import { expect } from 'chai';
import * as fc from 'fast-check';
import { ia5String, oid, octetString, printableString, sequence, set, utf8String } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { KmcError } from '../../src/errors.ts';
import { encodeName, formatName, nameValues, parseName } from '../../src/x509/name.ts';
import type { NameAttribute } from '../../src/x509/name.ts';
import { withOpenssl } from '../crypto/openssl.ts';
import { refusal } from '../crypto/refusal.ts';

const attribute = (type: string, value: Buffer): Buffer => sequence(oid(type), value);
const rdn = (...attributes: Buffer[]): Buffer => set(...attributes);
const cn = (text: string): Buffer => rdn(attribute(OID.commonName, utf8String(text)));

const SAMPLE: readonly NameAttribute[] = [
  { type: 'C', value: 'CN' },
  { type: 'ST', value: '浙江' },
  { type: 'L', value: '杭州' },
  { type: 'O', value: '测试CA' },
  { type: 'OU', value: 'Unit, 7' },
  { type: 'CN', value: 'gw-001' },
  { type: 'serialNumber', value: 'SN-42' },
];

describe('encodeName', () => {
  it('writes C and serialNumber as PrintableString, the others as UTF8String, as openssl shows', () => {
    const text = withOpenssl((folder) => {
      folder.write('name.der', encodeName(SAMPLE));
      return folder.run('asn1parse', '-inform', 'DER', '-in', 'name.der').toString();
    });
    expect(text.match(/PRINTABLESTRING/g)).to.have.length(2);
    expect(text.match(/UTF8STRING/g)).to.have.length(5);
  });

  it('is read back as it was written', () => {
    const name = parseName(encodeName(SAMPLE), 'E_CERT');
    expect(name.rdns.map(([first]) => ({ type: first?.label, value: first?.value }))).to.deep.equal(SAMPLE);
    expect(nameValues(name, 'O')).to.deep.equal(['测试CA']);
    expect(nameValues(name, 'L')).to.deep.equal(['杭州']);
  });

  const REFUSED: readonly (readonly [string, readonly NameAttribute[]])[] = [
    ['no attribute', []],
    ['17 attributes', Array.from({ length: 17 }, () => ({ type: 'OU', value: 'a' }) as const)],
    ['a control character', [{ type: 'CN', value: 'a\nb' }]],
    ['65 characters in CN', [{ type: 'CN', value: '字'.repeat(65) }]],
    ['three letters in C', [{ type: 'C', value: 'CHN' }]],
  ];
  for (const [what, attributes] of REFUSED) {
    it(`refuses ${what} with the code of the caller`, () => refusal('E_CSR', () => encodeName(attributes, 'E_CSR')));
  }

  it('counts characters and not UTF-16 units', () => {
    expect(() => encodeName([{ type: 'CN', value: '𠮷'.repeat(64) }])).not.to.throw();
  });

  it('refuses what PrintableString cannot hold', () =>
    refusal('E_DER', () => encodeName([{ type: 'serialNumber', value: '甲' }])));
});

describe('parseName', () => {
  const REFUSED: readonly (readonly [string, Buffer])[] = [
    ['an empty name', sequence()],
    ['a name that is no SEQUENCE', set(sequence())],
    ['a relative name that is no SET', sequence(sequence(attribute(OID.commonName, utf8String('a'))))],
    ['an empty relative name', sequence(set())],
    ['17 relative names', sequence(...Array.from({ length: 17 }, () => cn('a')))],
    ['10,000 relative names', sequence(...Array.from({ length: 10_000 }, () => cn('a')))],
    [
      '5 attributes in a relative name',
      sequence(rdn(...[1, 2, 3, 4, 5].map((arc) => attribute(`1.2.${arc}`, utf8String('a'))))),
    ],
    [
      'one attribute twice in a relative name',
      sequence(rdn(attribute(OID.commonName, utf8String('a')), attribute(OID.commonName, utf8String('b')))),
    ],
    ['an empty value', sequence(cn(''))],
    ['a CN of 65 characters', sequence(cn('a'.repeat(65)))],
    ['NUL in a value', sequence(cn('a\u0000b'))],
    ['a bidi override', sequence(cn('a\u202eb'))],
    ['look-alike letters', sequence(cn('p\u0430y'))],
    ['BMPString', sequence(rdn(attribute(OID.commonName, Buffer.from('1e020041', 'hex'))))],
    ['TeletexString', sequence(rdn(attribute(OID.commonName, Buffer.from('140141', 'hex'))))],
    ['UniversalString', sequence(rdn(attribute(OID.commonName, Buffer.from('1c0400000041', 'hex'))))],
    ['a value that is no string', sequence(rdn(attribute(OID.commonName, octetString(Buffer.from('a')))))],
    ['an e-mail address in UTF8String', sequence(rdn(attribute(OID.emailAddress, utf8String('a@b'))))],
    ['129 characters of an unknown type', sequence(rdn(attribute('1.2.3', utf8String('a'.repeat(129)))))],
  ];
  for (const [what, der] of REFUSED) {
    it(`refuses ${what} with the code of the caller`, () => refusal('E_CSR', () => parseName(der, 'E_CSR')));
  }

  const NOT_DER: readonly (readonly [string, Buffer])[] = [
    ['an attribute that is no SEQUENCE', sequence(rdn(set(oid(OID.commonName), utf8String('a'))))],
    ['a third element in an attribute', sequence(rdn(sequence(oid(OID.commonName), utf8String('a'), utf8String('b'))))],
    ['an attribute without a value', sequence(rdn(sequence(oid(OID.commonName))))],
    ['octets behind the name', Buffer.concat([sequence(cn('a')), Buffer.from([0])])],
    ['a star in a PrintableString', sequence(rdn(attribute(OID.commonName, Buffer.from('13012a', 'hex'))))],
  ];
  for (const [what, der] of NOT_DER) {
    it(`refuses ${what} with E_DER`, () => refusal('E_DER', () => parseName(der, 'E_CSR')));
  }

  it('reads a relative name of two attributes and types that it does not know', () => {
    const der = sequence(
      rdn(attribute(OID.commonName, utf8String('a')), attribute(OID.userId, utf8String('b'))),
      rdn(attribute('1.2.3', printableString('c'))),
    );
    expect(parseName(der, 'E_CERT').text).to.match(/^1\.2\.3=#130163,(CN=a\+UID=b|UID=b\+CN=a)$/);
  });

  it('keeps the octets of what it read', () => {
    const der = encodeName(SAMPLE);
    expect(parseName(der, 'E_CERT').der.equals(der)).to.equal(true);
  });

  it('writes back byte for byte what was written here, and refuses random octets with a KmcError', () => {
    const types = fc.constantFrom<NameAttribute['type']>('ST', 'L', 'O', 'OU', 'CN');
    const value = fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom(...Array.from('aZ9-网关.北京 _')) });
    fc.assert(
      fc.property(fc.array(fc.record({ type: types, value }), { minLength: 1, maxLength: 16 }), (attributes) => {
        const wanted = attributes.map(({ type, value: text }) => ({ type, value: `x${text}x` }));
        const name = parseName(encodeName(wanted), 'E_CERT');
        expect(name.rdns.map(([first]) => ({ type: first?.label, value: first?.value }))).to.deep.equal(wanted);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(() => parseName(Buffer.concat([Buffer.from([0x30, bytes.length]), bytes]), 'E_CSR')).to.throw(KmcError);
      }),
    );
  });
});

describe('formatName', () => {
  it('is the RFC 2253 text of openssl, in UTF-8', () => {
    const der = encodeName(SAMPLE.filter(({ type }) => type !== 'serialNumber'));
    const text = withOpenssl((folder) => {
      folder.run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'k.pem');
      folder.run(
        'req',
        '-new',
        '-x509',
        '-key',
        'k.pem',
        '-utf8',
        '-subj',
        '/C=CN/ST=浙江/L=杭州/O=测试CA/OU=Unit, 7/CN=gw-001',
        '-out',
        'c.pem',
      );
      return folder
        .run('x509', '-in', 'c.pem', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8')
        .toString()
        .trim();
    });
    expect(`subject=${formatName(der)}`).to.equal(text);
  });

  it('escapes what RFC 4514 wants escaped', () => {
    expect(formatName(sequence(cn('#a,b+c"d\\e<f>g;h')))).to.equal('CN=\\#a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h');
    expect(formatName(sequence(rdn(attribute(OID.emailAddress, ia5String('a@b')))))).to.equal('emailAddress=a@b');
  });
});
