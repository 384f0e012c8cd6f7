import { expect } from 'chai';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { fromBigInt } from '../../../src/crypto/bytes.ts';
import { ecSignatureFromRaw, ecSignatureToRaw } from '../../../src/crypto/ec-signature.ts';
import {
  assertP256Point,
  generateP256Key,
  p256PublicPoint,
  signP256,
  verifyP256,
  verifyP256Independently,
} from '../../../src/crypto/legacy/ecdsa.ts';
import { encodeEcPkcs8 } from '../../../src/crypto/pkcs8.ts';
import { encodeP256Spki } from '../../../src/crypto/spki.ts';
import { refusal } from '../refusal.ts';
import { hex, SM2_BAD } from '../vectors.ts';

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const MESSAGE = Buffer.from('message');

describe('ecdsa', () => {
  const { scalar, point } = generateP256Key();
  const privateKey = createPrivateKey({ key: encodeEcPkcs8('EC-P256', scalar, point), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey({ key: encodeP256Spki(point), format: 'der', type: 'spki' });

  function verdict(message: Buffer, signature: Buffer): boolean {
    const native = verifyP256(publicKey, message, signature);
    expect(verifyP256Independently(point, message, signature)).to.equal(native);
    return native;
  }

  it('signs, and both implementations verify', () => {
    for (let round = 0; round < 20; round += 1) {
      const signature = signP256(privateKey, MESSAGE);
      expect(verdict(MESSAGE, signature)).to.equal(true);
      expect(verdict(Buffer.from('other'), signature)).to.equal(false);
    }
  });

  it('accepts the twin (r, n-s), which is as good a signature, and no value out of range', () => {
    const raw = ecSignatureToRaw(signP256(privateKey, MESSAGE));
    const s = BigInt(`0x${raw.subarray(32).toString('hex')}`);
    const withS = (value: bigint): Buffer =>
      ecSignatureFromRaw(Buffer.concat([raw.subarray(0, 32), fromBigInt(value, 32)]));
    expect(verdict(MESSAGE, withS(ORDER - s))).to.equal(true);
    for (const value of [0n, ORDER, 2n ** 256n - 1n]) expect(verdict(MESSAGE, withS(value))).to.equal(false);
  });

  it('answers false to signatures that are not strict DER', () => {
    for (const { derHex } of SM2_BAD.badSignaturesDer) expect(verdict(MESSAGE, hex(derHex))).to.equal(false);
  });

  it('refuses points that are not acceptable and scalars out of range', async () => {
    assertP256Point(point);
    for (const { hex: bad } of SM2_BAD.badPublicKeys) await refusal('E_POINT', () => assertP256Point(hex(bad)));
    for (const value of [0n, ORDER, 2n ** 256n - 1n])
      await refusal('E_KEY', () => p256PublicPoint(fromBigInt(value, 32)));
    expect(p256PublicPoint(fromBigInt(ORDER - 1n, 32)).length).to.equal(65);
  });
});
