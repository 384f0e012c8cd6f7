import { expect } from 'chai';
import { KEY_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { encryptSm2 } from '../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Key, SM2_LARGEST_SCALAR } from '../../src/crypto/gm/sm2-key.ts';
import { SM2_BASE_POINT } from '../../src/crypto/gm/sm2-curve.ts';
import { generateP256Key } from '../../src/crypto/legacy/ecdsa.ts';
import { createRandomSource, randomBytes } from '../../src/crypto/random.ts';
import { refusal } from './refusal.ts';

/** A generator that gives the outputs one after the other, and the last one for ever. */
function scripted(...outputs: Buffer[]): (target: Buffer) => void {
  let turn = 0;
  return (target) => {
    outputs[Math.min(turn, outputs.length - 1)]!.copy(target);
    turn += 1;
  };
}

/** Runs `work` while Math.random and the clock stand still (B12). */
async function withFixedRandomness<T>(work: () => Promise<T>): Promise<T> {
  const dates: { getTime(): number } = Date.prototype;
  const [random, getTime, now] = [Math.random, dates.getTime, Date.now];
  Math.random = () => 0.5;
  dates.getTime = () => 1_790_000_000_000;
  Date.now = () => 1_790_000_000_000;
  try {
    return await work();
  } finally {
    Math.random = random;
    dates.getTime = getTime;
    Date.now = now;
  }
}

describe('random', () => {
  it('gives as many octets as asked for, in a Buffer of their own', () => {
    for (const length of [1, 8, 16, 32, 300]) {
      const bytes = randomBytes(length);
      expect(bytes.length).to.equal(length);
      expect(bytes.buffer.byteLength).to.equal(length);
    }
  });

  it('does not take the repetition of short outputs for a fault', () => {
    const values = new Set(Array.from({ length: 2000 }, () => randomBytes(1)[0]));
    expect(values.size).to.be.greaterThan(200);
  });

  it('refuses a generator that repeats its last output (B11)', async () => {
    const stuck = createRandomSource(scripted(Buffer.alloc(64, 7)));
    stuck.bytes(32);
    await refusal('E_SELF_TEST', () => stuck.bytes(32));
  });

  it('refuses a generator that comes back to an output of a while ago', async () => {
    const outputs = Array.from({ length: 100 }, (_, index) => Buffer.alloc(32, index + 1));
    const cycling = createRandomSource(scripted(...outputs, outputs[0]!));
    for (const _ of outputs) cycling.bytes(32);
    await refusal('E_SELF_TEST', () => cycling.bytes(32));
  });

  it('makes neither a key nor a nonce from a stuck generator', async () => {
    const stuck = createRandomSource(scripted(Buffer.alloc(32, 9)));
    generateSm2Key(stuck);
    await refusal('E_SELF_TEST', () => generateSm2Key(stuck));
    await refusal('E_SELF_TEST', () => encryptSm2(SM2_BASE_POINT, Buffer.from('message'), 'der', stuck));
    await refusal('E_SELF_TEST', () => generateP256Key(stuck));
  });

  it('takes a scalar at the upper bound and draws again above it and at zero', () => {
    const above = Buffer.from(SM2_LARGEST_SCALAR);
    above[31]! += 1;
    const source = createRandomSource(scripted(above, Buffer.alloc(32), SM2_LARGEST_SCALAR));
    expect(source.scalar(SM2_LARGEST_SCALAR).equals(SM2_LARGEST_SCALAR)).to.equal(true);
  });

  it('gives up on a generator whose numbers are never in range', async () => {
    let turn = 0;
    const high = createRandomSource((target) => target.fill(0xff).writeUInt32BE((turn += 1), 28));
    await refusal('E_SELF_TEST', () => high.scalar(SM2_LARGEST_SCALAR));
  });

  it('refuses an upper bound that rejection sampling is not meant for', async () => {
    const source = createRandomSource((target) => target.fill(1));
    await refusal('E_USAGE', () => source.scalar(Buffer.from('00ffff', 'hex')));
  });

  for (const algorithm of Object.values(KEY_ALGORITHMS)) {
    const bits = algorithm.name === 'RSA' ? 2048 : undefined;
    it(`makes different ${algorithm.name} keys while Math.random and the clock stand still (B12)`, async () => {
      const [first, second] = await withFixedRandomness(() =>
        Promise.all([algorithm.generateKeyPair(bits), algorithm.generateKeyPair(bits)]),
      );
      expect(first.pkcs8.equals(second.pkcs8)).to.equal(false);
    });
  }

  it('encrypts the same message differently while Math.random and the clock stand still (B12)', async () => {
    const [first, second] = await withFixedRandomness(async () => [
      encryptSm2(SM2_BASE_POINT, Buffer.from('message')),
      encryptSm2(SM2_BASE_POINT, Buffer.from('message')),
    ]);
    expect(first?.equals(second ?? Buffer.alloc(0))).to.equal(false);
  });
});
