import { expect } from 'chai';
import { KEY_ALGORITHMS, verifySignature } from '../../../src/crypto/algorithms.ts';
import {
  KEK_PURPOSES,
  type BlobContext,
  type CryptoEngine,
  type KeyEncryptionKey,
} from '../../../src/crypto/engine.ts';
import { encodeSm2Pkcs8 } from '../../../src/crypto/pkcs8.ts';
import { openBlob, sealBlob } from '../../../src/crypto/seal.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { knownKey, knownSecret, newKek, octetsOf, outsideKey } from './known.ts';

const MESSAGE = Buffer.from('signed with a key that was sealed');
const CONTEXT: BlobContext = { keyId: 'ca-1', usage: 'sign', objectVersion: 3 };
const SECRET_NUMBER = 0x0100;

export function describeSealing(open: OpenEngine): void {
  describe('sealing', () => {
    let engine: CryptoEngine;
    let kek: KeyEncryptionKey;

    before(async () => {
      engine = await open();
      kek = await newKek(engine);
    });

    /** The wrong ways to name a blob that was sealed under `kek` and CONTEXT. */
    async function wrongNames(): Promise<[KeyEncryptionKey, BlobContext][]> {
      return [
        [kek, { ...CONTEXT, keyId: 'ca-2' }],
        [kek, { ...CONTEXT, usage: 'encrypt' }],
        [kek, { ...CONTEXT, objectVersion: 2 }],
        [{ ...kek, purpose: 'backup' }, CONTEXT],
        [{ ...kek, version: 2 }, CONTEXT],
        [await newKek(engine), CONTEXT],
      ];
    }

    it('brings back keys of every kind, which work', async () => {
      for (const key of [
        await engine.generateKeyPair('SM2'),
        await engine.generateKeyPair('EC-P256'),
        await engine.generateKeyPair('RSA', 2048),
      ]) {
        const blob = await engine.sealKey(kek, CONTEXT, key);
        engine.destroyKey(key);
        const opened = await engine.openKey(kek, CONTEXT, blob);
        expect(opened.algorithm).to.equal(key.algorithm);
        const algorithm = KEY_ALGORITHMS[key.algorithm].defaultSignature;
        const signature = await engine.sign(opened, algorithm, MESSAGE);
        expect(verifySignature(algorithm, key.spki, MESSAGE, signature)).to.equal(true);
      }
    });

    it('brings data back under its own name alone, and never a key or a secret as data', async () => {
      const data = Buffer.from('a part of a backup');
      const blob = await engine.sealData(kek, CONTEXT, data);
      expect(await engine.openData(kek, CONTEXT, blob)).to.deep.equal(data);
      for (const [otherKek, context] of await wrongNames()) {
        await refusal('E_BLOB_AUTH', () => engine.openData(otherKek, context, blob));
      }
      await refusal('E_BLOB_AUTH', () => engine.openKey(kek, CONTEXT, blob));
      await refusal('E_BLOB_AUTH', () => engine.openSecret(kek, CONTEXT, blob));
      const sealedSecret = await engine.sealSecret(kek, CONTEXT, await engine.generateSecret(32));
      await refusal('E_BLOB_AUTH', () => engine.openData(kek, CONTEXT, sealedSecret));
      const sealedKey = await engine.sealKey(kek, CONTEXT, await engine.generateKeyPair('SM2'));
      await refusal('E_BLOB_AUTH', () => engine.openData(kek, CONTEXT, sealedKey));
      await refusal('E_SIZE', () => engine.sealData(kek, CONTEXT, Buffer.alloc(1_048_577)));
    });

    it('of a key holds the plain PKCS#8 under blob suite 1, bound to purpose, version and context', async () => {
      const { key, pkcs8 } = await knownKey(engine);
      const blob = await engine.sealKey(kek, CONTEXT, key);
      const header = {
        purpose: KEK_PURPOSES['ca-keys'],
        kekVersion: 1,
        ...CONTEXT,
        algorithms: [KEY_ALGORITHMS.SM2.blobNumber],
      };
      const opened = openBlob(await octetsOf(engine, kek.secret), header, blob);
      expect(opened.content.equals(pkcs8)).to.equal(true);
    });

    it('brings back secrets, the sealed content being their octets', async () => {
      const octets = Buffer.from('a secret of thirty-two octets ok');
      const blob = await engine.sealSecret(kek, CONTEXT, await knownSecret(engine, octets));
      const opened = await engine.openSecret(kek, CONTEXT, blob);
      expect(opened.length).to.equal(32);
      expect((await octetsOf(engine, opened)).equals(octets)).to.equal(true);
      const header = { purpose: KEK_PURPOSES['ca-keys'], kekVersion: 1, ...CONTEXT, algorithms: [SECRET_NUMBER] };
      expect(openBlob(await octetsOf(engine, kek.secret), header, blob).content.equals(octets)).to.equal(true);
    });

    it('opens under no other key, version, purpose or context: E_BLOB_AUTH with one text', async () => {
      const keyBlob = await engine.sealKey(kek, CONTEXT, await engine.generateKeyPair('SM2'));
      const secretBlob = await engine.sealSecret(kek, CONTEXT, await engine.generateSecret(32));
      const texts = new Set<string>();
      for (const [wrongKek, wrongContext] of await wrongNames()) {
        texts.add((await refusal('E_BLOB_AUTH', () => engine.openKey(wrongKek, wrongContext, keyBlob))).message);
        texts.add((await refusal('E_BLOB_AUTH', () => engine.openSecret(wrongKek, wrongContext, secretBlob))).message);
      }
      expect(texts.size).to.equal(1);
    });

    it('never opens a sealed key as a secret, which could leave, nor a secret as a key', async () => {
      const { key, pkcs8 } = await knownKey(engine);
      const keyBlob = await engine.sealKey(kek, CONTEXT, key);
      await refusal('E_BLOB_AUTH', () => engine.openSecret(kek, CONTEXT, keyBlob));
      const secretBlob = await engine.sealSecret(kek, CONTEXT, await knownSecret(engine, pkcs8));
      await refusal('E_BLOB_AUTH', () => engine.openKey(kek, CONTEXT, secretBlob));
    });

    it('refuses altered blobs, and other suites with E_SUITE', async () => {
      const blob = await engine.sealKey(kek, CONTEXT, await engine.generateKeyPair('SM2'));
      for (const at of [0, 5, 20, blob.length - 60, blob.length - 1]) {
        const altered = Buffer.from(blob);
        altered[at]! ^= 0x10;
        await refusal('E_BLOB_AUTH', () => engine.openKey(kek, CONTEXT, altered));
      }
      await refusal('E_BLOB_AUTH', () => engine.openKey(kek, CONTEXT, blob.subarray(0, -1)));
      const otherSuite = Buffer.from(blob);
      otherSuite[4] = 2;
      await refusal('E_SUITE', () => engine.openKey(kek, CONTEXT, otherSuite));
      await refusal('E_SIZE', () => engine.openKey(kek, CONTEXT, Buffer.alloc(1_100_000)));
    });

    it('refuses content that is no sound key of the stated kind, though it is authentic', async () => {
      const { scalar, point } = outsideKey();
      const largest = Buffer.from('fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122', 'hex');
      const forged = [
        { algorithm: KEY_ALGORITHMS.SM2.blobNumber, content: encodeSm2Pkcs8(largest, point) },
        { algorithm: KEY_ALGORITHMS.SM2.blobNumber, content: Buffer.alloc(0) },
        { algorithm: KEY_ALGORITHMS.RSA.blobNumber, content: encodeSm2Pkcs8(scalar, point) },
      ];
      const octets = await octetsOf(engine, kek.secret);
      for (const { algorithm, content } of forged) {
        const header = { purpose: KEK_PURPOSES['ca-keys'], kekVersion: 1, ...CONTEXT, algorithm, createdAt: 0 };
        const blob = sealBlob(octets, header, content);
        await refusal('E_BLOB_AUTH', () => engine.openKey(kek, CONTEXT, blob));
      }
    });

    it('takes only 32-octet keys that are not all zero, and ids and usages of the allowed form', async () => {
      const secret = await engine.generateSecret(32);
      const zero = { ...kek, secret: await knownSecret(engine, Buffer.alloc(32)) };
      const short = { ...kek, secret: await engine.generateSecret(16) };
      for (const wrong of [zero, short]) await refusal('E_KEY', () => engine.sealSecret(wrong, CONTEXT, secret));
      for (const wrong of [{ keyId: '../x' }, { keyId: '' }, { usage: 'Sign' }]) {
        await refusal('E_ID', () => engine.sealSecret(kek, { ...CONTEXT, ...wrong }, secret));
      }
    });
  });
}
