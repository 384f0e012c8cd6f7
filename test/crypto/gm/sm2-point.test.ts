import { expect } from 'chai';
import { SM2_BASE_POINT, SM2_CURVE } from '../../../src/crypto/gm/sm2-curve.ts';
import { sm2CurvePoint } from '../../../src/crypto/gm/sm2-noble.ts';
import { assertSm2Point, isSm2Point, sm2MultiplyBase } from '../../../src/crypto/gm/sm2-point.ts';
import { fromBigInt, toBigInt } from '../../../src/crypto/bytes.ts';
import { randomBytes } from '../../../src/crypto/random.ts';
import { refusal } from '../refusal.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';
import { GM, hex, SM2_BAD } from '../vectors.ts';

describeForEachSm2Engine('sm2 points', () => {
  it('stand on the curve of the standard', () => {
    for (const name of ['p', 'a', 'b', 'n', 'Gx', 'Gy'] as const) {
      expect(fromBigInt(SM2_CURVE[name], 32).toString('hex'), name).to.equal(GM.sm2_curve[name]);
    }
  });

  it('are accepted in the one form of 65 octets', () => {
    expect(isSm2Point(SM2_BASE_POINT)).to.equal(true);
    expect(isSm2Point(hex(SM2_BAD.key.publicKeyHex))).to.equal(true);
  });

  for (const { id, hex: point } of SM2_BAD.badPublicKeys) {
    it(`are refused: ${id} (B7)`, () => refusal('E_POINT', () => assertSm2Point(hex(point))));
  }

  it('of small order on other curves are refused (B8)', async () => {
    expect(SM2_BAD.invalidCurvePoints.points.length).to.equal(16);
    for (const { point } of SM2_BAD.invalidCurvePoints.points) {
      await refusal('E_POINT', () => assertSm2Point(hex(point)));
    }
  });

  it('of order 2 on other curves and at random are refused, 500 each (B8)', () => {
    for (let round = 0; round < 500; round += 1) {
      const x = randomBytes(32);
      expect(isSm2Point(Buffer.concat([Buffer.from([4]), x, Buffer.alloc(32)]))).to.equal(false);
      expect(isSm2Point(Buffer.concat([Buffer.from([4]), x, randomBytes(32)]))).to.equal(false);
    }
  });

  it('are the same by OpenSSL and by @noble/curves', () => {
    for (let round = 0; round < 20; round += 1) {
      const scalar = randomBytes(32);
      scalar[0] = 1;
      const expected = sm2CurvePoint(SM2_BASE_POINT).multiply(toBigInt(scalar)).toBytes(false);
      expect(sm2MultiplyBase(scalar).equals(expected)).to.equal(true);
    }
  });
});
