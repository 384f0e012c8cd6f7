import { expect } from 'chai';
import { assert as assertProperty, bigInt, property } from 'fast-check';
import { renewalTime } from '../../src/domain/renewal.ts';

const DAY = 86_400_000;
const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date(notBefore.getTime() + 720 * DAY);

describe('the time of a renewal', () => {
  it('lies between two thirds and three quarters of the life of the certificate, whatever its serial number', () => {
    assertProperty(
      property(bigInt({ min: 1n, max: 2n ** 127n }), (serial) => {
        const at = renewalTime({ serialNumber: serial.toString(16), notBefore, notAfter });
        const days = (at.getTime() - notBefore.getTime()) / DAY;
        expect(days).to.be.within(480, 540);
      }),
    );
  });

  it('spreads a fleet evenly: of 10,000 certificates of one day no tenth of the range has more than 12 %', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let serial = 0; serial < 10_000; serial += 1) {
      const at = renewalTime({ serialNumber: serial.toString(16).padStart(16, '0'), notBefore, notAfter });
      const place = ((at.getTime() - notBefore.getTime()) / DAY - 480) / 60;
      const tenth = Math.min(9, Math.floor(place * 10));
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(count).to.be.within(800, 1200);
  });
});
