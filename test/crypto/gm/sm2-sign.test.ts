import { createSign, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import smCrypto from 'sm-crypto';
import { ecSignatureFromRaw } from '../../../src/crypto/ec-signature.ts';
import { encodeSm2Pkcs8, parsePkcs8, sm2SigningKey } from '../../../src/crypto/pkcs8.ts';
import { encodeSm2Spki, importPublicKey } from '../../../src/crypto/spki.ts';
import { generateSm2Key } from '../../../src/crypto/gm/sm2-key.ts';
import { computeZ, signSm2, signSm2Many, verifySm2, verifySm2Independently } from '../../../src/crypto/gm/sm2-sign.ts';
import type { Sm2SigningKey, Sm2VerificationKey } from '../../../src/crypto/gm/sm2-sign.ts';
import { createRandomSource, randomBytes } from '../../../src/crypto/random.ts';
import { SM2_SIGNATURE_OPTIONS, withOpenssl } from '../openssl.ts';
import { refusal } from '../refusal.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';
import { GATEWAY, GM, hex, SM2_BAD } from '../vectors.ts';

interface Pair {
  readonly scalar: Buffer;
  readonly point: Buffer;
  readonly privateKey: Sm2SigningKey;
  readonly publicKey: Sm2VerificationKey;
}

function imported(scalar: Buffer, point: Buffer): Pair {
  const privateKey = sm2SigningKey(parsePkcs8(encodeSm2Pkcs8(scalar, point)));
  return { scalar, point, privateKey, publicKey: publicKeyOf(point) };
}

function publicKeyOf(point: Buffer): Sm2VerificationKey {
  return importPublicKey(encodeSm2Spki(point));
}

function newPair(): Pair {
  const { scalar, point } = generateSm2Key();
  return imported(scalar, point);
}

/** The verdict of both verifications, which must be one. */
function verdict({ publicKey }: Pick<Pair, 'publicKey'>, message: Buffer, signature: Buffer, id?: Buffer): boolean {
  const native = verifySm2(publicKey, message, signature, id);
  expect(verifySm2Independently(publicKey, message, signature, id)).to.equal(native);
  return native;
}

function rawLength(base64: string = ''): number {
  return Buffer.from(base64, 'base64').length;
}

const STANDARD = imported(hex(SM2_BAD.key.privateKeyHex), hex(SM2_BAD.key.publicKeyHex));
const MESSAGE = hex(SM2_BAD.messageHex);

describeForEachSm2Engine('sm2 signatures', (engine) => {
  it('have the Z of the standard, for every ID', () => {
    for (const { P, id, Z, source } of GM.sm2_sign) {
      if (Z !== undefined) expect(computeZ(hex(P), Buffer.from(id ?? '')).toString('hex'), source).to.equal(Z);
    }
  });

  for (const { source, id, msg, sig_der: signature } of GM.sm2_sign) {
    it(`of the vectors have the right verdict: ${source}, ID ${id ?? 'none'}`, () => {
      const own = id === null ? undefined : Buffer.from(id);
      expect(verdict(STANDARD, Buffer.from(msg), hex(signature), own)).to.equal(id !== null);
      const isDefault = id === '1234567812345678';
      expect(verdict(STANDARD, Buffer.from(msg), hex(signature))).to.equal(isDefault);
    });
  }

  it('that are good verify', () => {
    expect(verdict(STANDARD, MESSAGE, hex(SM2_BAD.goodSignature.derHex))).to.equal(true);
    expect(verdict(STANDARD, MESSAGE, ecSignatureFromRaw(hex(SM2_BAD.goodSignature.rawHex)))).to.equal(true);
  });

  for (const { id, derHex } of SM2_BAD.badSignaturesDer) {
    it(`are false and do not throw: ${id} (B1 to B6)`, () => {
      expect(verdict(STANDARD, MESSAGE, hex(derHex))).to.equal(false);
    });
  }

  for (const { id, hex: raw } of SM2_BAD.badSignaturesRaw) {
    it(`in raw form are false or refused: ${id} (B1 to B6)`, async () => {
      if (hex(raw).length === 64) expect(verdict(STANDARD, MESSAGE, ecSignatureFromRaw(hex(raw)))).to.equal(false);
      else await refusal('E_SIGNATURE', () => ecSignatureFromRaw(hex(raw)));
    });
  }

  it('under an empty ID, without Z or by ECDSA are false', () => {
    const point = hex(GATEWAY.key.spkiDerHex).subarray(-65);
    const pair = { publicKey: publicKeyOf(point) };
    const made = GATEWAY.negative.filter(({ signatureBase64 }) => rawLength(signatureBase64) === 64);
    expect(made.map(({ id }) => id)).to.include.members(['wrong-id-empty', 'no-z', 'ecdsa-no-z', 'ecdsa-with-z']);
    for (const { id, signatureBase64 } of made) {
      const signature = ecSignatureFromRaw(Buffer.from(signatureBase64!, 'base64'));
      expect(verdict(pair, Buffer.from(GATEWAY.signatureBase), signature), id).to.equal(false);
    }
  });

  it('of a key straight from generateKeyPair are ECDSA, and false (B13)', async () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'SM2' });
    const point = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-65);
    const ecdsa = createSign('sm3').update(computeZ(point)).update(MESSAGE).sign(pair.privateKey);
    expect(verdict({ publicKey: publicKeyOf(point) }, MESSAGE, ecdsa)).to.equal(false);
    // OpenSSL would use such a key object without a word.
    if (engine !== 'node') return;
    await refusal('E_USAGE', () => signSm2({ ...newPair().privateKey, keyObject: pair.privateKey }, MESSAGE));
    await refusal('E_USAGE', () => verifySm2({ point, keyObject: pair.publicKey }, MESSAGE, ecdsa));
  });

  it('take an ID of 0 to 8191 octets (B10)', async () => {
    const pair = newPair();
    for (const id of ['', '1234567812345678', 'x'.repeat(8191), '用户标识'].map((text) => Buffer.from(text))) {
      const signature = signSm2(pair.privateKey, MESSAGE, id);
      expect(verdict(pair, MESSAGE, signature, id)).to.equal(true);
      expect(verdict(pair, MESSAGE, signature, Buffer.concat([id, Buffer.from('!')]).subarray(0, 8191))).to.equal(
        id.length === 8191,
      );
    }
    await refusal('E_ID', () => computeZ(pair.point, Buffer.alloc(8192)));
    await refusal('E_ID', () => signSm2(pair.privateKey, MESSAGE, Buffer.alloc(8192)));
  });

  it('refuse a bad public point instead of answering', async () => {
    const infinity = { point: hex('00'), keyObject: STANDARD.publicKey.keyObject };
    await refusal('E_POINT', () => verifySm2(infinity, MESSAGE, Buffer.alloc(0)));
    await refusal('E_POINT', () => verifySm2Independently(infinity, MESSAGE, Buffer.alloc(0)));
  });

  it('are accepted by both implementations and refused for another message, at random', () => {
    for (let round = 0; round < 30; round += 1) {
      const pair = newPair();
      const message = randomBytes(1 + round * 7);
      const signature = signSm2(pair.privateKey, message);
      expect(verdict(pair, message, signature)).to.equal(true);
      message[0]! ^= 1;
      expect(verdict(pair, message, signature)).to.equal(false);
    }
  });

  it('are not made with a stuck generator, nor with numbers out of range', async () => {
    if (engine !== 'kernel') return;
    const { privateKey } = newPair();
    const stuck = createRandomSource((target) => target.fill(0x42));
    expect(signSm2Many(privateKey, [MESSAGE], undefined, stuck)).to.have.length(1);
    await refusal('E_SELF_TEST', () => signSm2Many(privateKey, [MESSAGE], undefined, stuck));
    for (const octet of [0, 0xff]) {
      const useless = createRandomSource((target) => target.fill(octet));
      await refusal('E_SELF_TEST', () => signSm2Many(privateKey, [MESSAGE], undefined, useless));
    }
  });

  it('of many messages are those of each', () => {
    const pair = newPair();
    const messages = Array.from({ length: 140 }, (_, length) => randomBytes(length));
    const signatures = signSm2Many(pair.privateKey, messages);
    for (const [at, message] of messages.entries()) expect(verdict(pair, message, signatures[at]!)).to.equal(true);
  });

  it('go both ways with sm-crypto', () => {
    for (let round = 0; round < 5; round += 1) {
      const pair = newPair();
      const message = randomBytes(100);
      const ours = signSm2(pair.privateKey, message).toString('hex');
      const publicHex = pair.point.toString('hex');
      expect(smCrypto.sm2.doVerifySignature([...message], ours, publicHex, { hash: true, der: true })).to.equal(true);
      const theirs = smCrypto.sm2.doSignature([...message], pair.scalar.toString('hex'), { hash: true, der: true });
      expect(verdict(pair, message, hex(theirs))).to.equal(true);
    }
  });

  it('go both ways with the openssl program under the default ID', () => {
    withOpenssl((folder) => {
      for (let round = 0; round < 5; round += 1) {
        const pair = newPair();
        const message = folder.write('message', randomBytes(200));
        const key = folder.write('key.der', encodeSm2Pkcs8(pair.scalar, pair.point));
        const spki = folder.write('spki.der', encodeSm2Spki(pair.point));
        const signature = folder.write('ours', signSm2(pair.privateKey, folder.read('message')));
        const verify = ['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', spki, '-in', message];
        const sign = ['pkeyutl', '-sign', '-keyform', 'DER', '-inkey', key, '-in', message];
        folder.run(...verify, '-sigfile', signature, ...SM2_SIGNATURE_OPTIONS);
        const theirs = folder.run(...sign, ...SM2_SIGNATURE_OPTIONS);
        expect(verdict(pair, folder.read('message'), theirs)).to.equal(true);
      }
    });
  });

  it('with one changed octet are false and never throw', () => {
    const good = hex(SM2_BAD.goodSignature.derHex);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(good);
        changed[at]! ^= change;
        expect(verifySm2(STANDARD.publicKey, MESSAGE, changed)).to.equal(false);
      }),
      { numRuns: 200 },
    );
  });

  it('of any octets never make the verification throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
        expect(verifySm2(STANDARD.publicKey, MESSAGE, Buffer.from(octets))).to.equal(false);
      }),
    );
  });
});
