import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { CryptoEngine } from '../../../src/crypto/engine.ts';
import { hmacSm3, sm3 } from '../../../src/crypto/gm/sm3.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { knownSecret, octetsOf } from './known.ts';

const MESSAGE = Buffer.from('a message under a MAC');

export function describeSecrets(open: OpenEngine): void {
  describe('secrets', () => {
    let engine: CryptoEngine;

    before(async () => {
      engine = await open();
    });

    it('have the length that was asked for and are new each time', async () => {
      for (const length of [16, 32, 48]) {
        const [one, two] = [await engine.generateSecret(length), await engine.generateSecret(length)];
        expect(one.length).to.equal(length);
        const [octets, others] = [await octetsOf(engine, one), await octetsOf(engine, two)];
        expect(octets).to.have.length(length);
        expect(octets.equals(others)).to.equal(false);
      }
    });

    it('of no use as secrets are not made', async () => {
      for (const length of [0, 15, -1, 1.5, 1_000_000_000])
        await refusal('E_USAGE', () => engine.generateSecret(length));
    });

    it('that are tokens are 32 characters of base32 and use its whole alphabet', async () => {
      const characters = new Set<string>();
      for (let round = 0; round < 24; round += 1) {
        const token = await engine.generateToken();
        expect(token.length).to.equal(32);
        const text = (await octetsOf(engine, token)).toString('latin1');
        expect(text).to.match(/^[A-Z2-7]{32}$/);
        for (const character of text) characters.add(character);
      }
      expect(characters.size).to.equal(32);
    });

    it('are found by their SM3 digest', async () => {
      const octets = randomBytes(32);
      expect((await engine.digestSecret(await knownSecret(engine, octets))).equals(sm3(octets))).to.equal(true);
    });

    it('make and verify MACs', async () => {
      const octets = randomBytes(32);
      const secret = await knownSecret(engine, octets);
      const mac = await engine.mac(secret, MESSAGE);
      expect(mac.equals(hmacSm3(octets, MESSAGE))).to.equal(true);
      expect(await engine.verifyMac(secret, MESSAGE, mac)).to.equal(true);
      expect(await engine.verifyMac(secret, Buffer.from('another'), mac)).to.equal(false);
      for (let bit = 0; bit < 256; bit += 1) {
        const flipped = Buffer.from(mac);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(await engine.verifyMac(secret, MESSAGE, flipped)).to.equal(false);
      }
      for (const wrong of [mac.subarray(0, 31), Buffer.alloc(0), Buffer.concat([mac, Buffer.alloc(1)])]) {
        expect(await engine.verifyMac(secret, MESSAGE, wrong)).to.equal(false);
      }
    });

    it('have a key check value of 8 octets for each key id', async () => {
      const octets = randomBytes(32);
      const secret = await knownSecret(engine, octets);
      const value = await engine.keyCheckValue(secret, 'mk-0003');
      expect(value.equals(hmacSm3(octets, Buffer.from('KCVmk-0003')).subarray(0, 8))).to.equal(true);
      expect(Buffer.from(value.buffer).includes(hmacSm3(octets, Buffer.from('KCVmk-0003')))).to.equal(false);
      expect((await engine.keyCheckValue(secret, 'mk-0004')).equals(value)).to.equal(false);
    });

    it('that are tokens can be handed out in the clear, and no other', async () => {
      const token = await engine.generateToken();
      const released = await engine.releaseToken(token);
      expect(released.equals(await octetsOf(engine, token))).to.equal(true);
      released.fill(0);
      expect((await engine.releaseToken(token)).toString('latin1')).to.match(/^[A-Z2-7]{32}$/);
      for (const length of [16, 32, 33]) {
        const secret = await engine.generateSecret(length);
        await refusal('E_USAGE', () => engine.releaseToken(secret));
      }
    });

    it('leave for SM2 keys only', async () => {
      const secret = await engine.generateSecret(32);
      const { spki } = await engine.generateKeyPair('EC-P256');
      await refusal('E_KEY', () => engine.encryptSecretTo(secret, spki));
      await refusal('E_DER', () => engine.encryptSecretTo(secret, Buffer.from('none')));
    });
  });
}
