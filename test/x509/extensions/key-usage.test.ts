import { OID } from '../../../src/crypto/asn1/oids.ts';
import { extendedKeyUsage, keyUsage } from '../../../src/x509/extensions/key-usage.ts';
import { refusal } from '../../crypto/refusal.ts';
import { describeCodec } from './codec-cases.ts';

describeCodec(
  'keyUsage',
  keyUsage,
  [
    ['the signing certificate of GM/T 0015', ['digitalSignature', 'nonRepudiation'], '030206c0'],
    ['the encryption certificate of GM/T 0015', ['keyEncipherment', 'dataEncipherment', 'keyAgreement'], '03020338'],
    ['a CA', ['keyCertSign', 'cRLSign'], '03020106'],
    ['one bit', ['digitalSignature'], '03020780'],
    ['the ninth bit', ['keyAgreement', 'decipherOnly'], '0303070880'],
  ],
  [
    ['no bit', '030100'],
    ['trailing zero bits', '030200c0'],
    ['a trailing zero octet', '0303008000'],
    ['a tenth bit', '0303060040'],
    ['another type', '040206c0'],
  ],
);

describeCodec(
  'extendedKeyUsage',
  extendedKeyUsage,
  [
    ['both sides of TLS', [OID.serverAuth, OID.clientAuth], '301406082b0601050507030106082b06010505070302'],
    ['a private purpose', ['1.2.156.999.1'], '300806062a811c876701'],
  ],
  [
    ['no purpose', '3000'],
    ['a purpose twice', '301406082b0601050507030106082b06010505070301'],
    ['something else than a purpose', '3003020101'],
    ['a SET', '310a06082b06010505070301'],
    [
      '33 purposes',
      `306306012a${Array.from({ length: 32 }, (_unused, at) => `0601${(0x2b + at).toString(16)}`).join('')}`,
    ],
  ],
);

describe('usage extensions', () => {
  it('are not written empty', async () => {
    await refusal('E_CERT', () => keyUsage.encode([]));
    await refusal('E_CERT', () => extendedKeyUsage.encode([]));
  });
});
