import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import type { CryptoEngine, KeyEncryptionKey, KeyHandle, SecretHandle } from '../../src/crypto/engine.ts';
import { encryptPkcs8 } from '../../src/crypto/encrypted-pkcs8.ts';
import { SM2_ENGINES } from '../../src/crypto/gm/sm2-choice.ts';
import { generateSm2Key } from '../../src/crypto/gm/sm2-key.ts';
import { encodeSm2Pkcs8 } from '../../src/crypto/pkcs8.ts';
import { encryptSm2 } from '../../src/crypto/gm/sm2-encrypt.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { HandleTable } from '../../src/crypto/software-engine/handles.ts';
import { describeEngineContract } from './engine-contract.ts';
import { collectGarbage, copiesInMemory, mask } from './process-memory.ts';
import { refusal } from './refusal.ts';
import { useSm2Engine } from './sm2-engines.ts';

const HELD_KEYS = 8;
/**
 * Node's Decipher (its output buffer) frees its copy without clearing it. The next operation of that size takes the block
 * again, so that of many keys the latest one may still be found. Of OpenSSL nothing is left: SM2 keys do not go there.
 */
const FREED_WITHOUT_CLEARING = 1;

interface Held {
  readonly masked: readonly Buffer[];
  readonly keys: readonly KeyHandle[];
  readonly secrets: readonly SecretHandle[];
}

/** A key and a secret that went through everything an engine does with them; what came from outside is wiped. */
async function holdKeyAndSecret(engine: CryptoEngine, kek: KeyEncryptionKey): Promise<Held> {
  const context = { keyId: 'k', usage: 'sign', objectVersion: 1 };
  const passphrase = Buffer.from('passphrase');
  const { scalar, point } = generateSm2Key();
  const pkcs8 = encodeSm2Pkcs8(scalar, point);
  const key = await engine.importPkcs8(await encryptPkcs8(pkcs8, passphrase), passphrase);
  const octets = randomBytes(32);
  const secret = await engine.decryptSecret(key, encryptSm2(point, octets));
  const masked = [mask(scalar), mask(octets)];
  for (const outside of [scalar, pkcs8, octets]) outside.fill(0);
  await engine.sign(key, 'SM2-SM3', Buffer.from('used'));
  await engine.mac(secret, Buffer.from('used'));
  const opened = await engine.openKey(kek, context, await engine.sealKey(kek, context, key));
  const openedSecret = await engine.openSecret(kek, context, await engine.sealSecret(kek, context, secret));
  return { masked, keys: [key, opened], secrets: [secret, openedSecret] };
}

for (const sm2Engine of SM2_ENGINES) {
  describe(`with SM2 by ${sm2Engine}`, () => {
    useSm2Engine(sm2Engine);
    describeEngineContract('software', () => createSoftwareEngine());
  });
}

describe('the software engine', () => {
  it('states the time it is given in the header of a blob', async () => {
    const engine = createSoftwareEngine({ now: () => new Date(1_790_000_000_000) });
    const kek = { purpose: 'master', version: 1, secret: await engine.generateSecret(32) } as const;
    const blob = await engine.sealSecret(kek, { keyId: 'k', usage: 'kek', objectVersion: 1 }, kek.secret);
    // Header of 36 octets: createdAt stands before ptLen.
    expect(blob.readBigUInt64BE(24)).to.equal(1_790_000_000_000n);
  });

  it('wipes what a destroyed handle stood for, and only that', async () => {
    const table = new HandleTable<{ readonly name: string }, Buffer>((state) => state.fill(0));
    const [gone, kept] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const [first, second] = [table.issue({ name: 'first' }, gone), table.issue({ name: 'second' }, kept)];
    table.destroy(first);
    expect(gone.equals(Buffer.alloc(32))).to.equal(true);
    expect(table.stateOf(second)).to.equal(kept);
    expect(kept.equals(Buffer.alloc(32, 2))).to.equal(true);
    await refusal('E_KEY', () => table.stateOf(first));
  });

  it('leaves no copy of destroyed keys and secrets of its own in the memory of the process', async function () {
    if (!existsSync('/proc/self/mem')) this.skip();
    this.timeout(60_000);
    const engine = createSoftwareEngine();
    const kek = { purpose: 'master', version: 1, secret: await engine.generateSecret(32) } as const;
    const held: Held[] = [];
    for (let made = 0; made < HELD_KEYS; made++) held.push(await holdKeyAndSecret(engine, kek));
    const masked = held.flatMap((one) => one.masked);
    // A collector that moved them would leave the old octets behind.
    collectGarbage();
    for (const copies of copiesInMemory(masked)) expect(copies).to.be.greaterThan(0);

    for (const { keys, secrets } of held) {
      for (const handle of keys) engine.destroyKey(handle);
      for (const handle of secrets) engine.destroySecret(handle);
    }
    collectGarbage();
    const left = copiesInMemory(masked).filter((copies) => copies > 0);
    expect(left.length, 'keys and secrets of which there are copies').to.be.at.most(FREED_WITHOUT_CLEARING);
  });
});
