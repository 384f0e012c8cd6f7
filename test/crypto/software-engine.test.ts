import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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
import { refusal } from './refusal.ts';
import { useSm2Engine } from './sm2-engines.ts';

const CHUNK_BYTES = 1 << 22;
/** Writable mappings that are no file's. */
const ANONYMOUS = /^(\w+)-(\w+) rw\S+ \S+ 00:00 0/gm;

/** The octets in a form that the search below does not take for them. */
function mask(octets: Buffer): Buffer {
  return Buffer.from(octets.map((octet) => octet ^ 0xa5));
}

/** How often the octets behind each of `masked` stand in the writable memory of this process. */
function copiesInMemory(masked: readonly Buffer[]): number[] {
  const copies = masked.map(() => 0);
  const overlap = Math.max(...masked.map(({ length }) => length));
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const memory = openSync('/proc/self/mem', 'r');
  try {
    for (const [, from = '', to = ''] of readFileSync('/proc/self/maps', 'utf8').matchAll(ANONYMOUS)) {
      const end = Number.parseInt(to, 16);
      for (let at = Number.parseInt(from, 16); at < end; at += CHUNK_BYTES - overlap) {
        const read = readIfMapped(memory, chunk, Math.min(CHUNK_BYTES, end - at), at);
        for (const [which, octets] of masked.entries()) copies[which]! += copiesIn(chunk.subarray(0, read), octets);
        chunk.fill(0, 0, read);
      }
    }
    return copies;
  } finally {
    closeSync(memory);
  }
}

function copiesIn(memory: Buffer, masked: Buffer): number {
  // Four octets are searched for and the rest compared under the mask, or the search would find itself.
  const start = mask(masked.subarray(0, 4));
  let copies = 0;
  for (let hit = memory.indexOf(start); hit >= 0; hit = memory.indexOf(start, hit + 1)) {
    copies += masked.every((octet, offset) => ((memory[hit + offset] ?? 0) ^ 0xa5) === octet) ? 1 : 0;
  }
  return copies;
}

/** Reads memory; 0 when the mapping has gone since it was listed. */
function readIfMapped(memory: number, chunk: Buffer, length: number, at: number): number {
  try {
    return readSync(memory, chunk, 0, length, at);
  } catch {
    return 0;
  }
}

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

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
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
