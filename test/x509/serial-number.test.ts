import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeDer, integer } from '../../src/crypto/asn1/der.ts';
import { encodeSerialNumber, isConformingSerialNumber, serialNumberText } from '../../src/x509/serial-number.ts';
import { refusal } from '../crypto/refusal.ts';

describe('a serial number', () => {
  for (const [content, text] of [
    ['00', '00'],
    ['01', '01'],
    ['0080', '80'],
    ['00ff00', 'ff00'],
    ['7fff', '7fff'],
    ['ff', '-01'],
    ['80', '-80'],
    ['ff7f', '-81'],
  ] as const) {
    it(`with the content ${content} is ${text}`, () => {
      const der = Buffer.from(`02${(content.length / 2).toString(16).padStart(2, '0')}${content}`, 'hex');
      expect(serialNumberText(decodeDer(der))).to.equal(text);
    });
  }

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: (1n << 159n) - 1n }), (value) => {
        const text = serialNumberText(decodeDer(integer(value)));
        expect(BigInt(`0x${text}`)).to.equal(value);
        expect(isConformingSerialNumber(text)).to.equal(true);
        expect(encodeSerialNumber(text).equals(integer(value))).to.equal(true);
      }),
    );
  });

  it('conforms only when it is positive and of at most 20 content octets', () => {
    for (const text of ['00', '0000', '-01', '', '1', 'AB', 'zz', `80${'00'.repeat(19)}`, '01'.repeat(21)]) {
      expect(isConformingSerialNumber(text), text).to.equal(false);
    }
    for (const text of ['01', 'ff', `7f${'ff'.repeat(19)}`, 'ff'.repeat(19)]) {
      expect(isConformingSerialNumber(text), text).to.equal(true);
    }
  });

  it('is not written from text that is no lower-case hex', async () => {
    for (const text of ['', '-01', 'AB', '1', '0x01']) await refusal('E_CERT', () => encodeSerialNumber(text));
  });
});
