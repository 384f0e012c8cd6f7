import { expect } from 'chai';
import {
  assertSm2KeyPair,
  assertSm2Scalar,
  generateSm2Key,
  SM2_LARGEST_SCALAR,
  sm2PublicPoint,
} from '../../../src/crypto/gm/sm2-key.ts';
import { isSm2Point } from '../../../src/crypto/gm/sm2-point.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';
import { refusal } from '../refusal.ts';
import { GM, hex, SM2_BAD } from '../vectors.ts';

describeForEachSm2Engine('sm2 private keys', () => {
  it('have the public points of the standard', () => {
    for (const { d, P, source } of GM.sm2_sign) expect(sm2PublicPoint(hex(d)).toString('hex'), source).to.equal(P);
  });

  for (const { id, hex: scalar } of SM2_BAD.badPrivateKeys) {
    it(`are refused: ${id} (B11)`, async () => {
      await refusal('E_KEY', () => assertSm2Scalar(hex(scalar)));
      await refusal('E_KEY', () => sm2PublicPoint(hex(scalar)));
    });
  }

  it('may be 1 and n-2, and have 32 octets', async () => {
    const one = Buffer.alloc(32);
    one[31] = 1;
    assertSm2Scalar(one);
    assertSm2Scalar(SM2_LARGEST_SCALAR);
    await refusal('E_KEY', () => assertSm2Scalar(one.subarray(1)));
    await refusal('E_KEY', () => assertSm2Scalar(Buffer.concat([Buffer.alloc(1), one])));
  });

  it('must belong to the public key beside them', async () => {
    const { scalar, point } = generateSm2Key();
    assertSm2KeyPair(scalar, point);
    await refusal('E_KEY', () => assertSm2KeyPair(scalar, generateSm2Key().point));
  });

  it('are made in range with a point on the curve', () => {
    for (let round = 0; round < 10; round += 1) {
      const { scalar, point } = generateSm2Key();
      assertSm2Scalar(scalar);
      expect(isSm2Point(point)).to.equal(true);
    }
  });
});
