import { expect } from 'chai';
import * as fc from 'fast-check';
import { ecSignatureFromRaw, ecSignatureToRaw, readEcSignature } from '../../src/crypto/ec-signature.ts';
import { fromBigInt, toBigInt } from '../../src/crypto/bytes.ts';
import { SM2_CURVE } from '../../src/crypto/gm/sm2-curve.ts';
import { KmcError } from '../../src/errors.ts';
import { refusal } from './refusal.ts';
import { GM, hex } from './vectors.ts';

describe('ec signature values', () => {
  it('go from DER to r || s and back, leading zeros included', () => {
    for (const { r, s, sig_der: der, source } of GM.sm2_sign) {
      expect(ecSignatureToRaw(hex(der)).toString('hex'), source).to.equal(r + s);
      expect(ecSignatureFromRaw(hex(r + s)).toString('hex'), source).to.equal(der);
      const value = readEcSignature(hex(der), SM2_CURVE.n);
      expect(value, source).to.deep.equal({ r: toBigInt(hex(r)), s: toBigInt(hex(s)) });
    }
  });

  it('round-trip for all r and s below the order, and only those are read', () => {
    const scalar = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });
    fc.assert(
      fc.property(scalar, scalar, (r, s) => {
        const raw = Buffer.concat([fromBigInt(r, 32), fromBigInt(s, 32)]);
        const der = ecSignatureFromRaw(raw);
        expect(ecSignatureToRaw(der).equals(raw)).to.equal(true);
        const inRange = r > 0n && r < SM2_CURVE.n && s > 0n && s < SM2_CURVE.n;
        expect(readEcSignature(der, SM2_CURVE.n) !== undefined).to.equal(inRange);
      }),
    );
  });

  it('of any octets are refused with a KmcError or come back byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
        const der = Buffer.from(octets);
        try {
          expect(ecSignatureFromRaw(ecSignatureToRaw(der)).equals(der)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
    );
  });

  it('in raw form have 64 octets', async () => {
    await refusal('E_SIGNATURE', () => ecSignatureFromRaw(Buffer.alloc(63)));
    await refusal('E_SIGNATURE', () => ecSignatureFromRaw(Buffer.alloc(65)));
  });
});
