import { serialize } from 'node:v8';
import { inspect } from 'node:util';
import { expect } from 'chai';
import type { CryptoEngine, KeyHandle, SecretHandle } from '../../../src/crypto/engine.ts';
import { decryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { knownKey, knownSecret, newKek, octetsOf, outsideKey, PASSPHRASE } from './known.ts';

const CONTEXT = { keyId: 'k-1', usage: 'sign', objectVersion: 1 };

/** Every text and octet string that can be got out of `value` without calling it. */
function everythingIn(value: unknown): string {
  const seen = new Set<object>();
  const found: string[] = [];
  const visit = (part: unknown): void => {
    if (typeof part === 'string') found.push(part);
    if ((typeof part !== 'object' && typeof part !== 'function') || part === null || seen.has(part)) return;
    seen.add(part);
    if (ArrayBuffer.isView(part)) found.push(Buffer.from(part.buffer).toString('hex'));
    for (const name of Reflect.ownKeys(part)) visit(Reflect.getOwnPropertyDescriptor(part, name)?.value);
    if (!ArrayBuffer.isView(part)) visit(Object.getPrototypeOf(part));
  };
  visit(value);
  return found.join('\n');
}

/** What a log, a debugger, a serialiser or a curious caller sees of `value`. */
function views(value: object): string[] {
  const plain = typeof value === 'object' && !Object.values(value).some((member) => typeof member === 'function');
  return [
    everythingIn(value),
    JSON.stringify(value),
    inspect(value, { showHidden: true, depth: 50, getters: true, maxArrayLength: null, maxStringLength: null }),
    ...(plain ? [serialize(value).toString('latin1'), serialize(value).toString('hex')] : []),
  ];
}

function expectHidden(value: object, secret: Buffer): void {
  const spaced = secret.toString('hex').replaceAll(/(..)(?!$)/g, '$1 ');
  const forms = [
    secret.toString('hex'),
    secret.toString('base64'),
    secret.toString('latin1'),
    spaced,
    [...secret].join(','),
  ];
  for (const view of views(value)) {
    for (const form of forms)
      expect(view.toLowerCase().includes(form.toLowerCase()), 'a secret is visible').to.equal(false);
  }
}

export function describeHandles(open: OpenEngine): void {
  describe('handles', () => {
    let engine: CryptoEngine;

    before(async () => {
      engine = await open();
    });

    it('show no octet of a key, however they are looked at, nor does the engine', async () => {
      const { key, scalar } = await knownKey(engine);
      await engine.sign(key, 'SM2-SM3', Buffer.from('used'));
      expectHidden(key, scalar);
      expectHidden(engine, scalar);
      expect(Object.keys(key).toSorted()).to.deep.equal(['algorithm', 'kind', 'spki']);
    });

    it('show no octet of a secret, however they are looked at, nor does the engine', async () => {
      const octets = Buffer.from(Array.from({ length: 32 }, (_, at) => 7 * at + 100));
      const secret = await knownSecret(engine, octets);
      await engine.mac(secret, Buffer.from('used'));
      expectHidden(secret, octets);
      expectHidden(engine, octets);
      expect(Object.keys(secret).toSorted()).to.deep.equal(['kind', 'length']);
    });

    it('of shares show no octet of the share', async () => {
      const { shares } = await engine.splitSecret(await engine.generateSecret(32), 2, 3);
      for (const share of shares) {
        const recipient = outsideKey();
        const envelope = decryptSm2(
          recipient.scalar,
          await engine.encryptShareTo(share, recipient.spki, Buffer.alloc(32, 1)),
        );
        expectHidden(share, envelope.subarray(20, 52));
      }
    });

    it('are found wanting by this check when they do show a secret', () => {
      const octets = Buffer.from(Array.from({ length: 32 }, (_, at) => at + 60));
      const leaks: object[] = [
        { kind: 'secret', length: 32, octets },
        Object.defineProperty({}, 'hidden', { value: octets }),
        { text: octets.toString('base64') },
        { inner: new Map([['a', octets.toString('hex')]]) },
        { states: new Set([Buffer.from(octets)]) },
      ];
      for (const leak of leaks) expect(() => expectHidden(leak, octets)).to.throw('a secret is visible');
    });

    it('cannot be changed', async () => {
      const [key, secret] = [await engine.generateKeyPair('SM2'), await engine.generateSecret(32)];
      expect(Object.isFrozen(key)).to.equal(true);
      expect(Object.isFrozen(secret)).to.equal(true);
      key.spki.fill(0);
      await engine.sign(key, 'SM2-SM3', Buffer.from('still the same key inside'));
    });

    for (const [what, spoil] of [
      ['destroyed', (e: CryptoEngine, h: KeyHandle | SecretHandle) => (destroy(e, h), h)],
      ['copied', (_: CryptoEngine, h: KeyHandle | SecretHandle) => ({ ...h })],
    ] as const) {
      it(`that were ${what} are refused with E_KEY by every operation`, async () => {
        const key = spoil(engine, await engine.generateKeyPair('SM2')) as KeyHandle;
        const secret = spoil(engine, await engine.generateSecret(32)) as SecretHandle;
        await expectRefused(engine, key, secret);
      });
    }

    it('of another engine are refused with E_KEY by every operation', async () => {
      const other = await open();
      await expectRefused(engine, await other.generateKeyPair('SM2'), await other.generateSecret(32));
    });

    it('may be destroyed twice', async () => {
      const [key, secret] = [await engine.generateKeyPair('SM2'), await engine.generateSecret(32)];
      for (const handle of [key, secret, key, secret]) destroy(engine, handle);
    });

    it('that live on do not notice that others are destroyed', async () => {
      const [kept, gone] = [await engine.generateSecret(32), await engine.generateSecret(32)];
      const before = await octetsOf(engine, kept);
      destroy(engine, gone);
      expect((await octetsOf(engine, kept)).equals(before)).to.equal(true);
    });
  });
}

function destroy(engine: CryptoEngine, handle: KeyHandle | SecretHandle): void {
  if (handle.kind === 'key') engine.destroyKey(handle);
  else engine.destroySecret(handle);
}

const UNNAMED = { identifier: Buffer.from('3000', 'hex'), certificates: [] };

async function expectRefused(engine: CryptoEngine, key: KeyHandle, secret: SecretHandle): Promise<void> {
  const message = Buffer.from('message');
  const [goodKek, good] = [await newKek(engine), await engine.generateKeyPair('SM2')];
  const badKek = { ...goodKek, secret };
  const { shares, set } = await engine.splitSecret(goodKek.secret, 2, 2);
  const badShare = { ...shares[0]!, secret };
  const holder = Buffer.alloc(32);
  const operations: (() => Promise<unknown>)[] = [
    () => engine.sign(key, 'SM2-SM3', message),
    () => engine.decryptSecret(key, message),
    () => engine.exportPkcs8(key, PASSPHRASE, 'gmssl'),
    () => engine.envelopeKey(key, good.spki),
    () => engine.openEnvelopedKey(key, message),
    () => engine.packageKey(key, { spki: good.spki, identifier: message }, { key: good, ...UNNAMED }),
    () => engine.packageKey(good, { spki: good.spki, identifier: message }, { key, ...UNNAMED }),
    () => engine.openKeyPackage(key, message, good.spki, good.spki),
    () => engine.sealKey(goodKek, CONTEXT, key),
    () => engine.sealKey(badKek, CONTEXT, good),
    () => engine.openKey(badKek, CONTEXT, message),
    () => engine.sealSecret(goodKek, CONTEXT, secret),
    () => engine.sealSecret(badKek, CONTEXT, goodKek.secret),
    () => engine.openSecret(badKek, CONTEXT, message),
    () => engine.digestSecret(secret),
    () => engine.mac(secret, message),
    () => engine.verifyMac(secret, message, message),
    () => engine.keyCheckValue(secret, 'k-1'),
    () => engine.encryptSecretTo(secret, good.spki),
    () => engine.releaseToken(secret),
    () => engine.splitSecret(secret, 2, 3),
    () => engine.encryptShareTo(badShare, good.spki, holder),
    () => engine.decryptShare(key, message, holder),
    () => engine.combineShares([badShare, shares[1]!], set),
  ];
  for (const operation of operations) await refusal('E_KEY', operation);
}
