import { expect } from 'chai';
import { SIGNATURE_ALGORITHMS, verifyIndependently, verifySignature } from '../../../src/crypto/algorithms.ts';
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../../../src/crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../../src/crypto/engine.ts';
import { encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { parseSpki, sm2PointFromSpki } from '../../../src/crypto/spki.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { octetsOf, outsideKey } from './known.ts';

const MESSAGE = Buffer.from('a message that is signed as a whole');

/** The signature algorithms that each kind of key makes. */
const MAKES: Readonly<Record<KeyAlgorithmName, readonly SignatureAlgorithmName[]>> = {
  SM2: ['SM2-SM3'],
  'EC-P256': ['ECDSA-P256-SHA256'],
  RSA: ['RSA-SHA256', 'RSA-PSS-SHA256'],
};
const KINDS = Object.keys(MAKES) as KeyAlgorithmName[];

export function describeKeys(open: OpenEngine): void {
  describe('keys', () => {
    let engine: CryptoEngine;
    let keys: Record<KeyAlgorithmName, KeyHandle>;

    before(async () => {
      engine = await open();
      keys = {
        SM2: await engine.generateKeyPair('SM2'),
        'EC-P256': await engine.generateKeyPair('EC-P256'),
        RSA: await engine.generateKeyPair('RSA', 2048),
      };
    });

    for (const kind of KINDS) {
      it(`of kind ${kind} say what they are and sign verifiably`, async () => {
        const key = keys[kind];
        expect(key.kind).to.equal('key');
        expect(key.algorithm).to.equal(kind);
        expect(parseSpki(key.spki).algorithm).to.equal(kind);
        for (const algorithm of MAKES[kind]) {
          const signature = await engine.sign(key, algorithm, MESSAGE);
          expect(verifySignature(algorithm, key.spki, MESSAGE, signature), algorithm).to.equal(true);
          expect(verifySignature(algorithm, key.spki, Buffer.from('another'), signature), algorithm).to.equal(false);
          if (SIGNATURE_ALGORITHMS[algorithm].verifyIndependently !== undefined) {
            expect(verifyIndependently(algorithm, key.spki, MESSAGE, signature), algorithm).to.equal(true);
          }
        }
      });

      it(`of kind ${kind} refuse every other signature algorithm with E_USAGE`, async () => {
        for (const algorithm of Object.keys(SIGNATURE_ALGORITHMS) as SignatureAlgorithmName[]) {
          if (MAKES[kind].includes(algorithm)) continue;
          await refusal('E_USAGE', () => engine.sign(keys[kind], algorithm, MESSAGE));
        }
      });
    }

    it('are new each time, and RSA keys have the size that was asked for', async () => {
      const others = [await engine.generateKeyPair('SM2'), await engine.generateKeyPair('EC-P256')];
      for (const other of others) expect(other.spki.equals(keys[other.algorithm].spki)).to.equal(false);
      expect(parseSpki(keys.RSA.spki).rsa?.n.length).to.equal(256);
      await refusal('E_USAGE', () => engine.generateKeyPair('RSA', 1024));
    });

    it('of kind SM2 decrypt into secrets that stay inside', async () => {
      const octets = Buffer.from('0123456789abcdef0123456789abcdef');
      const secret = await engine.decryptSecret(keys.SM2, encryptSm2(sm2PointFromSpki(keys.SM2.spki), octets));
      expect(secret.kind).to.equal('secret');
      expect(secret.length).to.equal(32);
      expect((await octetsOf(engine, secret)).equals(octets)).to.equal(true);
    });

    it('refuse every ciphertext that is not theirs with E_DECRYPT and one text', async () => {
      const ciphertext = encryptSm2(sm2PointFromSpki(keys.SM2.spki), Buffer.alloc(32, 9));
      const foreign = encryptSm2(outsideKey().point, Buffer.alloc(32, 9));
      const flipped = Buffer.from(ciphertext);
      flipped[flipped.length - 1]! ^= 1;
      const texts = new Set<string>();
      for (const wrong of [foreign, flipped, ciphertext.subarray(1), Buffer.alloc(0), Buffer.alloc(120, 4)]) {
        texts.add((await refusal('E_DECRYPT', () => engine.decryptSecret(keys.SM2, wrong))).message);
      }
      expect(texts.size).to.equal(1);
    });

    it('of other kinds do not decrypt: E_USAGE', async () => {
      for (const kind of ['EC-P256', 'RSA'] as const) {
        await refusal('E_USAGE', () => engine.decryptSecret(keys[kind], Buffer.alloc(100)));
      }
    });
  });
}
