import {
  authorityKeyIdentifier,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../../src/x509/extensions/identifiers.ts';
import { describeCodec } from './codec-cases.ts';

const twenty = Buffer.alloc(20, 0xab);
const thirtyTwo = Buffer.alloc(32, 0xcd);

describeCodec(
  'subjectKeyIdentifier',
  subjectKeyIdentifier,
  [
    ['a SHA-1 identifier', twenty, `0414${twenty.toString('hex')}`],
    ['an SM3 identifier as GmSSL makes it', thirtyTwo, `0420${thirtyTwo.toString('hex')}`],
  ],
  [
    ['an empty identifier', '0400'],
    ['65 octets', `0441${'00'.repeat(65)}`],
    ['another type', '0c0161'],
  ],
);

describeCodec(
  'authorityKeyIdentifier',
  authorityKeyIdentifier,
  [
    ['a key identifier', { keyIdentifier: twenty }, `30168014${twenty.toString('hex')}`],
    ['nothing', {}, '3000'],
    [
      'issuer and serial of a foreign certificate',
      {
        keyIdentifier: Buffer.from([1]),
        authorityCertIssuer: [{ type: 'dNSName', value: 'a' }],
        authorityCertSerialNumber: Buffer.from('80', 'hex'),
      },
      '300c800101a10382016182020080',
    ],
  ],
  [
    ['an issuer without a serial', '3005a103820161'],
    ['a serial without an issuer', '3003820101'],
    ['an empty key identifier', '30028000'],
    ['a negative serial', '3008a1038201618201ff'],
    ['a serial that is not minimal', '3009a10382016182020001'],
    ['a fourth field', '3003830101'],
    ['fields in another order', '3008820101a103820161'],
    ['a SET', '3103800101'],
  ],
);

describeCodec(
  'subjectAltName',
  subjectAltName,
  [
    [
      'several names',
      [
        { type: 'dNSName', value: 'gw' },
        { type: 'iPAddress', value: '10.0.0.1' },
      ],
      '300a8202677787040a000001',
    ],
  ],
  [
    ['no name', '3000'],
    ['an unknown form', '30028900'],
  ],
);
