import { createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { CryptoEngine, DataLabel, KeyHandle, SecretHandle } from '../../../src/crypto/engine.ts';
import { decryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { knownKey, knownSecret, octetsOf } from './known.ts';

const LABEL: DataLabel = { keyId: 'mk-1', keyVersion: 3, context: Buffer.from('{"record":"7"}') };
const CONTENT = Buffer.from('what an application protects');

function sm3Of(...parts: readonly Buffer[]): Buffer {
  return createHash('sm3').update(Buffer.concat(parts)).digest();
}

/** Takes a ciphertext apart after the format's description, with node:crypto alone. */
function openByHand(key: Buffer, { context }: DataLabel, ciphertext: Buffer, headLength: number): Buffer {
  const head = ciphertext.subarray(0, headLength);
  const salt = ciphertext.subarray(headLength, headLength + 16);
  const body = ciphertext.subarray(headLength + 16, -32);
  const bound = Buffer.concat([head, sm3Of(context)]);
  const info = Buffer.concat([Buffer.from('KMD1/data'), sm3Of(bound)]);
  const keys = Buffer.from(hkdfSync('sm3', key, salt, info, 64));
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64BE(BigInt(bound.length), 0);
  lengths.writeBigUInt64BE(BigInt(body.length), 8);
  const tag = createHmac('sm3', keys.subarray(32)).update(bound).update(salt).update(body).update(lengths).digest();
  expect(tag.equals(ciphertext.subarray(-32))).to.equal(true);
  const decipher = createDecipheriv('sm4-ctr', keys.subarray(0, 16), keys.subarray(16, 32));
  return Buffer.concat([decipher.update(body), decipher.final()]);
}

/** Length of the head up to and with the version, of a ciphertext under LABEL. */
const NAMED = 6 + LABEL.keyId.length + 4;

export function describeData(open: OpenEngine): void {
  describe('data under managed keys', () => {
    let engine: CryptoEngine;
    let octets: Buffer;
    let keys: readonly (SecretHandle | KeyHandle)[];

    before(async () => {
      engine = await open();
      octets = randomBytes(16);
      keys = [await knownSecret(engine, octets), await engine.generateKeyPair('SM2')];
    });

    it('comes back under the same key, version and context, empty data too', async () => {
      for (const key of keys) {
        for (const content of [CONTENT, Buffer.alloc(0), randomBytes(1024)]) {
          const ciphertext = await engine.encryptData(key, LABEL, content);
          expect((await engine.decryptData(key, LABEL, ciphertext)).equals(content)).to.equal(true);
        }
      }
    });

    it('has the form that is written down: another implementation opens it', async () => {
      const symmetric = await engine.encryptData(keys[0]!, LABEL, CONTENT);
      expect(symmetric.subarray(0, 4).toString()).to.equal('KMD1');
      expect(openByHand(octets, LABEL, symmetric, NAMED).equals(CONTENT)).to.equal(true);
      const { key, scalar } = await knownKey(engine);
      const hybrid = await engine.encryptData(key, LABEL, CONTENT);
      const wrapped = hybrid.subarray(NAMED + 2, NAMED + 2 + hybrid.readUInt16BE(NAMED));
      const ephemeral = decryptSm2(scalar, wrapped);
      expect(openByHand(ephemeral, LABEL, hybrid, NAMED + 2 + wrapped.length).equals(CONTENT)).to.equal(true);
    });

    it('opens for nothing else: every flipped bit, every cut, another label, another key: one text', async () => {
      const texts = new Set<string>();
      for (const key of keys) {
        const ciphertext = await engine.encryptData(key, LABEL, CONTENT);
        const attempt = async (label: DataLabel, given: Buffer): Promise<void> => {
          texts.add((await refusal('E_DECRYPT', () => engine.decryptData(key, label, given))).message);
        };
        const step = key.kind === 'secret' ? 1 : 13;
        for (let bit = 0; bit < ciphertext.length * 8; bit += step) {
          const flipped = Buffer.from(ciphertext);
          flipped[bit >> 3]! ^= 1 << (bit & 7);
          await attempt(LABEL, flipped);
        }
        for (let length = 0; length < ciphertext.length; length += step)
          await attempt(LABEL, ciphertext.subarray(0, length));
        await attempt(LABEL, Buffer.concat([ciphertext, Buffer.alloc(1)]));
        await attempt({ ...LABEL, keyId: 'mk-2' }, ciphertext);
        await attempt({ ...LABEL, keyVersion: 2 }, ciphertext);
        await attempt({ ...LABEL, context: Buffer.alloc(0) }, ciphertext);
      }
      const others = [await engine.generateSecret(16), await engine.generateKeyPair('SM2')];
      for (const [at, key] of keys.entries()) {
        const ciphertext = await engine.encryptData(key, LABEL, CONTENT);
        for (const other of [others[at]!, keys[1 - at]!]) {
          texts.add((await refusal('E_DECRYPT', () => engine.decryptData(other, LABEL, ciphertext))).message);
        }
      }
      expect([...texts]).to.have.length(1);
    });

    it('is never the same twice, and is at most 1 MiB', async () => {
      for (const key of keys) {
        const [one, two] = [
          await engine.encryptData(key, LABEL, CONTENT),
          await engine.encryptData(key, LABEL, CONTENT),
        ];
        expect(one.equals(two)).to.equal(false);
        await refusal('E_SIZE', () => engine.encryptData(key, LABEL, Buffer.alloc(1_048_577)));
      }
    });

    it('goes from one version to the next without leaving the engine', async () => {
      const next = { key: await engine.generateSecret(16), label: { ...LABEL, keyVersion: 4 } };
      for (const key of keys) {
        const before = await engine.encryptData(key, LABEL, CONTENT);
        const after = await engine.rewrapData({ key, label: LABEL }, next, before);
        expect((await engine.decryptData(next.key, next.label, after)).equals(CONTENT)).to.equal(true);
        await refusal('E_DECRYPT', () => engine.rewrapData(next, { key, label: LABEL }, before));
      }
    });

    it('of data keys: they are wrapped and unwrapped in the engine, and only they leave it in the clear', async () => {
      const dataKey = await engine.generateDataKey();
      expect(dataKey.length).to.equal(16);
      const released = await engine.releaseDataKey(dataKey);
      expect(released.equals(await octetsOf(engine, dataKey))).to.equal(true);
      for (const key of keys) {
        const wrapped = await engine.wrapDataKey(key, LABEL, dataKey);
        expect((await engine.decryptData(key, LABEL, wrapped)).equals(released)).to.equal(true);
        const unwrapped = await engine.unwrapDataKey(key, LABEL, wrapped);
        expect((await octetsOf(engine, unwrapped)).equals(released)).to.equal(true);
        await refusal('E_USAGE', () => engine.releaseDataKey(unwrapped));
      }
      await refusal('E_USAGE', async () => engine.releaseDataKey(await engine.generateSecret(16)));
      engine.destroySecret(dataKey);
      await refusal('E_KEY', () => engine.releaseDataKey(dataKey));
    });

    it('is not encrypted under a key of another kind', async () => {
      const key = await engine.generateKeyPair('EC-P256');
      await refusal('E_USAGE', () => engine.encryptData(key, LABEL, CONTENT));
      await refusal('E_USAGE', () => engine.decryptData(key, LABEL, Buffer.alloc(200)));
    });
  });
}
