import { OID } from '../../../src/crypto/asn1/oids.ts';
import {
  accessByUri,
  authorityInfoAccess,
  certificatePolicies,
  cpsQualifier,
  crlDistributionPoints,
  distributionPointsOf,
  freshestCrl,
  subjectInfoAccess,
} from '../../../src/x509/extensions/access.ts';
import { refusal } from '../../crypto/refusal.ts';
import { describeCodec } from './codec-cases.ts';

const hexOf = (text: string): string => Buffer.from(text).toString('hex');

describeCodec(
  'certificatePolicies',
  certificatePolicies,
  [
    ['a policy', [{ policyIdentifier: '1.2.3' }], '3006300406022a03'],
    [
      'a policy with its practice statement',
      [{ policyIdentifier: '1.2.3', qualifiers: [cpsQualifier('urn:a')] }],
      `301b301906022a033013301106082b060105050702011605${hexOf('urn:a')}`,
    ],
  ],
  [
    ['no policy', '3000'],
    ['a policy twice', '300c300406022a03300406022a03'],
    ['an empty list of qualifiers', '3008300606022a033000'],
    ['a qualifier without a value', '300a300806022a0330023000'],
    ['a policy that is no SEQUENCE', '300406022a03'],
    ['a third field', '3009300706022a03020100'],
  ],
);

describeCodec(
  'cRLDistributionPoints',
  crlDistributionPoints,
  [
    ['one place', distributionPointsOf(['urn:a']), `300d300ba009a0078605${hexOf('urn:a')}`],
    [
      'two places',
      distributionPointsOf(['urn:a', 'urn:b']),
      `301a300ba009a0078605${hexOf('urn:a')}300ba009a0078605${hexOf('urn:b')}`,
    ],
    [
      'reasons and another issuer',
      [{ reasons: ['keyCompromise', 'superseded'], cRLIssuer: [{ type: 'dNSName', value: 'a' }] }],
      '300b300981020348a203820161',
    ],
    [
      'a relative name',
      [{ distributionPoint: { nameRelativeToCRLIssuer: Buffer.from('310a300806035504030c0161', 'hex') } }],
      '3010300ea00ca10a300806035504030c0161',
    ],
  ],
  [
    ['no place', '3000'],
    ['a point that names nothing', '30023000'],
    ['a point with reasons only', '3006300481020348'],
    ['an unknown name form', '30063004a0028200'],
    ['two names in one point', '300e300ca00aa003820161a003820162'],
    ['a reason without a name', '300c300a8103060040a203820161'],
    ['a point that is no SEQUENCE', '3006a004a0028200'],
  ],
);

describeCodec(
  'freshestCRL',
  freshestCrl,
  [['one place', distributionPointsOf(['urn:a']), `300d300ba009a0078605${hexOf('urn:a')}`]],
  [['no place', '3000']],
);

describeCodec(
  'authorityInfoAccess',
  authorityInfoAccess,
  [
    ['an OCSP responder', [accessByUri(OID.ocsp, 'urn:a')], `3013301106082b060105050730018605${hexOf('urn:a')}`],
    [
      'both methods',
      [accessByUri(OID.caIssuers, 'urn:a'), accessByUri(OID.ocsp, 'urn:b')],
      `3026301106082b060105050730028605${hexOf('urn:a')}301106082b060105050730018605${hexOf('urn:b')}`,
    ],
  ],
  [
    ['no method', '3000'],
    ['a method without a place', '300c300a06082b06010505073001'],
    ['an item that is no SEQUENCE', `3013311106082b060105050730018605${hexOf('urn:a')}`],
  ],
);

describeCodec(
  'subjectInfoAccess',
  subjectInfoAccess,
  [['a repository', [accessByUri(OID.caRepository, 'urn:a')], `3013301106082b060105050730058605${hexOf('urn:a')}`]],
  [['no method', '3000']],
);

describe('access extensions', () => {
  it('are not written empty', async () => {
    await refusal('E_CERT', () => certificatePolicies.encode([]));
    await refusal('E_CERT', () => certificatePolicies.encode([{ policyIdentifier: '1.2.3', qualifiers: [] }]));
    await refusal('E_CERT', () => crlDistributionPoints.encode([]));
    await refusal('E_CERT', () => authorityInfoAccess.encode([]));
  });

  it('refuse more than 64 items', () =>
    refusal('E_DER', () =>
      crlDistributionPoints.decode(
        crlDistributionPoints.encode(distributionPointsOf(Array.from({ length: 65 }, () => 'urn:a'))),
      ),
    ));
});
