import { expect } from 'chai';
import { decodeDer } from '../../../src/crypto/asn1/der.ts';
import {
  decodeGeneralName,
  decodeUntaggedGeneralNames,
  encodeGeneralName,
  encodeGeneralNames,
} from '../../../src/x509/extensions/general-name.ts';
import type { GeneralName } from '../../../src/x509/extensions/general-name.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';

const NAME = encodeName([{ type: 'CN', value: 'a' }]);
const hexOf = (text: string): string => Buffer.from(text).toString('hex');
const decode = (hex: string): GeneralName => decodeGeneralName(decodeDer(Buffer.from(hex, 'hex')));

const BOTH_WAYS: readonly (readonly [string, GeneralName, string])[] = [
  ['a mail address', { type: 'rfc822Name', value: 'a@b' }, `8103${hexOf('a@b')}`],
  ['a DNS name', { type: 'dNSName', value: 'a.b' }, `8203${hexOf('a.b')}`],
  ['a URI', { type: 'uniformResourceIdentifier', value: 'urn:a' }, `8605${hexOf('urn:a')}`],
  ['an IPv4 address', { type: 'iPAddress', value: '10.0.200.1' }, '87040a00c801'],
  ['an IPv6 address', { type: 'iPAddress', value: '2001:db8::1' }, '871020010db8000000000000000000000001'],
  ['the IPv6 loopback', { type: 'iPAddress', value: '::1' }, `8710${'00'.repeat(15)}01`],
  ['the IPv6 null address', { type: 'iPAddress', value: '::' }, `8710${'00'.repeat(16)}`],
  ['an IPv6 prefix', { type: 'iPAddress', value: 'fe80::' }, `8710fe80${'00'.repeat(14)}`],
  ['a full IPv6 address', { type: 'iPAddress', value: '1:2:3:4:5:6:7:8' }, '871000010002000300040005000600070008'],
  [
    'a directory name',
    { type: 'directoryName', der: NAME },
    `a4${NAME.length.toString(16).padStart(2, '0')}${NAME.toString('hex')}`,
  ],
  [
    'an otherName as it stands',
    { type: 'other', der: Buffer.from('a00806012aa0030c0161', 'hex') },
    'a00806012aa0030c0161',
  ],
  ['a registeredID as it stands', { type: 'other', der: Buffer.from('88012a', 'hex') }, '88012a'],
];

describe('a general name', () => {
  for (const [what, name, hex] of BOTH_WAYS) {
    it(`is written and read: ${what}`, () => {
      expect(encodeGeneralName(name).toString('hex')).to.equal(hex);
      expect(decode(hex)).to.deep.equal(name);
    });
  }

  it('takes any IPv6 text and writes the same octets', () => {
    for (const value of ['2001:DB8:0:0:0:0:0:1', '2001:db8:0000::0001', '2001:0db8::0:1']) {
      expect(encodeGeneralName({ type: 'iPAddress', value }).toString('hex')).to.equal(
        '871020010db8000000000000000000000001',
      );
    }
    expect(encodeGeneralName({ type: 'iPAddress', value: '::ffff:10.0.0.1' }).toString('hex')).to.equal(
      `8710${'00'.repeat(10)}ffff0a000001`,
    );
  });

  for (const [what, hex] of [
    ['NUL in a DNS name', '8203610062'],
    ['an empty DNS name', '8200'],
    ['an 8-bit character in a URI', '8601e9'],
    ['a line feed in a mail address', '81020a61'],
    ['an address of 5 octets', '87050a00000100'],
    ['a directory name that is empty', 'a4023000'],
    ['two names in a directory name', 'a40430003000'],
    ['an unknown form', '8900'],
    ['a constructed DNS name', 'a203820161'],
  ] as const) {
    it(`is refused: ${what}`, () => refusal('E_DER', () => decode(hex)));
  }

  it('is refused when it is too long', async () => {
    await refusal('E_CERT', () => encodeGeneralName({ type: 'dNSName', value: 'a'.repeat(2_049) }));
    await refusal('E_DER', () => decode(`82820801${'61'.repeat(2_049)}`));
  });

  for (const [what, name] of [
    ['text that is no address', { type: 'iPAddress', value: '10.0.0' }],
    ['an IPv6 address with a zone', { type: 'iPAddress', value: 'fe80::1%eth0' }],
    ['a DNS name with Han', { type: 'dNSName', value: '网关.cn' }],
    ['an empty URI', { type: 'uniformResourceIdentifier', value: '' }],
  ] as const) {
    it(`is not written: ${what}`, () => refusal('E_CERT', () => encodeGeneralName(name)));
  }
});

describe('general names', () => {
  it('are 1 to 128', async () => {
    const name: GeneralName = { type: 'dNSName', value: 'a' };
    await refusal('E_CERT', () => encodeGeneralNames([]));
    await refusal('E_DER', () => decodeUntaggedGeneralNames(decodeDer(Buffer.from('3000', 'hex'))));
    await refusal('E_DER', () =>
      decodeUntaggedGeneralNames(decodeDer(encodeGeneralNames(Array.from({ length: 129 }, () => name)))),
    );
    await refusal('E_DER', () => decodeUntaggedGeneralNames(decodeDer(Buffer.from('3103820161', 'hex'))));
  });
});
