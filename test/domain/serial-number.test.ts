import { expect } from 'chai';
import { newSerialNumber } from '../../src/domain/serial-number.ts';
import { isConformingSerialNumber } from '../../src/x509/serial-number.ts';

describe('newSerialNumber', () => {
  it('makes positive numbers of 16 octets that differ', () => {
    const serials = Array.from({ length: 200 }, () => newSerialNumber().toString('hex'));
    expect(new Set(serials).size).to.equal(200);
    for (const serial of serials) {
      expect(serial).to.match(/^[4-7][0-9a-f]{31}$/);
      expect(isConformingSerialNumber(serial)).to.equal(true);
    }
  });
});
