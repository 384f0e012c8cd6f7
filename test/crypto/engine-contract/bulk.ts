import { expect } from 'chai';
import { verifySignature } from '../../../src/crypto/algorithms.ts';
import type { BlobContext, CryptoEngine } from '../../../src/crypto/engine.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { newKek } from './known.ts';

const contextOf = (at: number): BlobContext => ({ keyId: `pool-${at}`, usage: 'encrypt', objectVersion: 1 });
const contexts = (count: number): BlobContext[] => Array.from({ length: count }, (_, at) => contextOf(at));

export function describeBulk(open: OpenEngine): void {
  describe('bulk work', () => {
    let engine: CryptoEngine;

    before(async () => {
      engine = await open();
    });

    // Few are made on this thread, many on worker threads, in more than one portion.
    for (const count of [0, 1, 5, 150]) {
      it(`makes ${count} sealed key pairs, each under its own context`, async () => {
        const kek = await newKek(engine);
        const pairs = await engine.generateSealedPairs(kek, contexts(count));
        expect(pairs).to.have.length(count);
        expect(new Set(pairs.map(({ spki }) => spki.toString('hex'))).size).to.equal(count);
        for (const [at, { spki, sealedKey }] of pairs.entries()) {
          const key = await engine.openKey(kek, contextOf(at), sealedKey);
          expect(key.spki.equals(spki)).to.equal(true);
          if (at > 3) continue;
          const message = Buffer.from(`message ${at}`);
          expect(verifySignature('SM2-SM3', spki, message, await engine.sign(key, 'SM2-SM3', message))).to.equal(true);
          await refusal('E_BLOB_AUTH', () => engine.openKey(kek, contextOf(at + 1), sealedKey));
        }
      });

      it(`signs ${count} messages, in their order`, async () => {
        const key = await engine.generateKeyPair('SM2');
        const messages = Array.from({ length: count }, (_, at) => Buffer.alloc(at * 11, at));
        const signatures = await engine.signMany(key, 'SM2-SM3', messages);
        expect(signatures).to.have.length(count);
        for (const [at, message] of messages.entries()) {
          expect(verifySignature('SM2-SM3', key.spki, message, signatures[at]!)).to.equal(true);
        }
      });
    }

    it('signs many by ECDSA and RSA too', async () => {
      for (const [kind, algorithm] of [
        ['EC-P256', 'ECDSA-P256-SHA256'],
        ['RSA', 'RSA-SHA256'],
      ] as const) {
        const key = await engine.generateKeyPair(kind, 2048);
        const messages = Array.from({ length: 40 }, (_, at) => Buffer.from(`message ${at}`));
        const signatures = await engine.signMany(key, algorithm, messages);
        for (const [at, message] of messages.entries()) {
          expect(verifySignature(algorithm, key.spki, message, signatures[at]!)).to.equal(true);
        }
      }
    }).timeout(60_000);

    it('refuses a key of another kind, a destroyed one and a context that does not fit', async () => {
      const key = await engine.generateKeyPair('EC-P256');
      await refusal('E_USAGE', () => engine.signMany(key, 'SM2-SM3', [Buffer.from('message')]));
      engine.destroyKey(key);
      await refusal('E_KEY', () => engine.signMany(key, 'ECDSA-P256-SHA256', [Buffer.from('message')]));
      const kek = await newKek(engine);
      for (const count of [1, 100]) {
        const bad = contexts(count).with(count - 1, { keyId: 'Not an id', usage: 'encrypt', objectVersion: 1 });
        await refusal('E_ID', () => engine.generateSealedPairs(kek, bad));
      }
    });

    it('leaves keys and key-encryption keys usable', async () => {
      const kek = await newKek(engine);
      await engine.generateSealedPairs(kek, contexts(64));
      const key = await engine.generateKeyPair('SM2');
      await engine.signMany(
        key,
        'SM2-SM3',
        Array.from({ length: 64 }, () => Buffer.from('message')),
      );
      const blob = await engine.sealKey(kek, contextOf(1), key);
      expect((await engine.openKey(kek, contextOf(1), blob)).spki.equals(key.spki)).to.equal(true);
    });
  });
}
