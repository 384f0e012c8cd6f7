import {
  certificateIssuer,
  crlNumber,
  deltaCrlIndicator,
  invalidityDate,
  issuingDistributionPoint,
  ocspNoCheck,
  reasonCode,
} from '../../../src/x509/extensions/crl.ts';
import { refusal } from '../../crypto/refusal.ts';
import { describeCodec } from './codec-cases.ts';

const hexOf = (text: string): string => Buffer.from(text).toString('hex');

for (const [name, codec] of [
  ['cRLNumber', crlNumber],
  ['deltaCRLIndicator', deltaCrlIndicator],
] as const) {
  describeCodec(
    name,
    codec,
    [
      ['zero', 0n, '020100'],
      ['a number', 256n, '02020100'],
      ['the largest number', (1n << 159n) - 1n, `02147f${'ff'.repeat(19)}`],
    ],
    [
      ['a negative number', '0201ff'],
      ['21 octets', `021501${'00'.repeat(20)}`],
      ['20 octets with the first bit set', `02150080${'00'.repeat(19)}`],
      ['an ENUMERATED', '0a0101'],
    ],
  );
}

describeCodec(
  'reasonCode',
  reasonCode,
  [
    ['unspecified', 'unspecified', '0a0100'],
    ['keyCompromise', 'keyCompromise', '0a0101'],
    ['removeFromCRL', 'removeFromCRL', '0a0108'],
    ['aACompromise', 'aACompromise', '0a010a'],
  ],
  [
    ['the unused value 7', '0a0107'],
    ['11', '0a010b'],
    ['a negative value', '0a01ff'],
    ['an INTEGER', '020101'],
  ],
);

describeCodec(
  'invalidityDate',
  invalidityDate,
  [
    ['a date before 2050', new Date('2026-11-01T00:00:00Z'), '180f32303236313130313030303030305a'],
    ['a date after 2050', new Date('2051-11-01T00:00:00Z'), '180f32303531313130313030303030305a'],
  ],
  [['a UTCTime', '170d3236313130313030303030305a']],
);

describeCodec(
  'certificateIssuer',
  certificateIssuer,
  [['a name', [{ type: 'dNSName', value: 'a' }], '3003820161']],
  [['no name', '3000']],
);

describeCodec(
  'issuingDistributionPoint',
  issuingDistributionPoint,
  [
    [
      'the shard of a province',
      {
        distributionPoint: { fullName: [{ type: 'uniformResourceIdentifier', value: 'urn:a' }] },
        onlyContainsUserCerts: true,
      },
      `300ea009a0078605${hexOf('urn:a')}8101ff`,
    ],
    ['CA certificates', { onlyContainsCACerts: true }, '30038201ff'],
    [
      'some reasons of an indirect CRL',
      { onlySomeReasons: ['keyCompromise'], indirectCRL: true },
      '3007830206408401ff',
    ],
    ['attribute certificates', { onlyContainsAttributeCerts: true }, '30038501ff'],
    ['nothing', {}, '3000'],
  ],
  [
    ['a FALSE that is written out', '3003810100'],
    ['a BOOLEAN of another value', '3003810101'],
    ['fields in another order', '30068201ff8101ff'],
    ['a SET', '31038201ff'],
  ],
);

describeCodec('ocspNoCheck', ocspNoCheck, [['NULL', true, '0500']], [['a BOOLEAN', '0101ff']]);

describe('CRL numbers to be written', () => {
  it('have at most 20 octets and are not negative', async () => {
    await refusal('E_CERT', () => crlNumber.encode(-1n));
    await refusal('E_CERT', () => crlNumber.encode(1n << 159n));
  });
});
