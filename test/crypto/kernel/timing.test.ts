/**
 * Do operations on secrets take the same time for every secret? Fixed against random inputs, interleaved at random, cut at
 * percentiles, compared by Welch's t ("Dude, is my code constant time?", DATE 2017). A difference of nanoseconds is found
 * with samples enough; what this machine does besides only hides differences. The test first finds a leak that is there.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { expect } from 'chai';
import { fromBigInt, toBigInt } from '../../../src/crypto/bytes.ts';
import { SM2_BASE_POINT, SM2_CURVE } from '../../../src/crypto/gm/sm2-curve.ts';
import { instantiateKernel } from '../../../src/crypto/kernel/kernel.ts';
import { buildProbe } from './probe.ts';

// KMC_TEST_LONG stands in `npm run test:long`: this takes minutes.
const LONG = process.env['KMC_TEST_LONG'] !== undefined;
const SAMPLES = 100_000;
const LEAKY_SAMPLES = 20_000;
/** Beyond this the times differ; the same as dudect takes for "definitely". */
const LIMIT = 10;
/** Samples above each of these shares of all are left out in turn: interruptions hide in the slow ones. */
const CUTS = [0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1];
const INPUT = 0x20000;
const OUTPUT = 0x31000;
const { n } = SM2_CURVE;

/** Writes the input of one call: a fixed secret or a random one. */
type Prepare = (secret: Buffer) => void;

function randomScalar(): Buffer {
  return fromBigInt((toBigInt(randomBytes(32)) % (n - 2n)) + 1n, 32);
}

function welch(left: readonly number[], right: readonly number[]): number {
  const stats = [left, right].map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    return { mean, error: variance / values.length };
  });
  return ((stats[0]?.mean ?? 0) - (stats[1]?.mean ?? 0)) / Math.sqrt((stats[0]?.error ?? 0) + (stats[1]?.error ?? 0));
}

/** The largest |t| over the cuts. */
function largestT(fixed: readonly number[], random: readonly number[]): number {
  const all = [...fixed, ...random].sort((a, b) => a - b);
  const ts = CUTS.map((cut) => {
    const limit = all[Math.ceil(all.length * cut) - 1] ?? Infinity;
    const [left, right] = [fixed, random].map((values) => values.filter((value) => value <= limit));
    return Math.abs(welch(left ?? [], right ?? []));
  });
  return Math.max(...ts);
}

/** |t| of the times of `call` between one fixed secret and random ones. */
function compareTimes(samples: number, fixed: Buffer, prepare: Prepare, call: () => void): number {
  // All inputs are made beforehand and copied alike: nothing but the content differs.
  const secrets = Array.from({ length: 512 }, () => Buffer.from(new ArrayBuffer(32)));
  const classes = secrets.map(() => false);
  const times: [number[], number[]] = [[], []];
  for (let taken = 0; taken < samples;) {
    for (let at = 0; at < secrets.length; at += 1) {
      classes[at] = randomInt(2) === 0;
      (classes[at] === true ? fixed : randomScalar()).copy(secrets[at]!);
    }
    for (let at = 0; at < secrets.length; at += 1, taken += 1) {
      prepare(secrets[at]!);
      const start = process.hrtime.bigint();
      call();
      const took = Number(process.hrtime.bigint() - start);
      times[classes[at] === true ? 0 : 1].push(took);
    }
  }
  return largestT(times[0].slice(500), times[1].slice(500));
}

(LONG ? describe : () => undefined)('the time of the kernel', () => {
  const { exports, memory } = instantiateKernel();
  const other = randomScalar();

  /** Fixed secrets with few and with many digits: what a leak would show most. */
  const FIXED: Readonly<Record<string, Buffer>> = {
    'a single bit': fromBigInt(1n << 128n, 32),
    'all ones': fromBigInt((1n << 255n) - 1n, 32),
  };

  const put = (at: number, octets: Buffer): number => octets.copy(memory, INPUT + at);
  const point = (at: number): number => SM2_BASE_POINT.copy(memory, INPUT + at, 1);
  const OPERATIONS: Readonly<Record<string, readonly [Prepare, () => void]>> = {
    'fixed-base multiplication and key generation': [(secret) => put(0, secret), () => exports.baseMultiples(1)],
    'signature, by its nonce': [
      (secret) => [put(0, other), put(32, secret), put(64, other)],
      () => exports.signatures(1),
    ],
    'signature, by its key': [
      (secret) => [put(0, other), put(32, other), put(64, secret)],
      () => exports.signatures(1),
    ],
    'inverse for signatures': [(secret) => put(0, secret), () => exports.signingInverses(1)],
    'multiplication of decryption': [(secret) => [put(0, secret), point(32)], () => exports.pointMultiples(1)],
    'multiplications of encryption': [(secret) => [put(0, secret), point(32)], () => exports.encryptionPoints(1)],
    'key exchange, by its key': [
      (secret) => [put(0, secret), put(32, other), put(64, other), point(96), point(160)],
      () => exports.exchangePoint(),
    ],
    'key exchange, by its ephemeral key': [
      (secret) => [put(0, other), put(32, secret), put(64, other), point(96), point(160)],
      () => exports.exchangePoint(),
    ],
    'decryption of a message': [
      (secret) => [secret.copy(memory, OUTPUT), secret.copy(memory, INPUT + 0x400)],
      () => exports.decryptMessage(32),
    ],
  };

  it('of a multiplication that leaks is found to differ', function () {
    this.timeout(0);
    const probe = buildProbe();
    const probed = Buffer.from(probe.memory.buffer);
    const prepare: Prepare = (secret) => [secret.copy(probed, INPUT), SM2_BASE_POINT.copy(probed, INPUT + 32, 1)];
    for (let i = 0; i < 500; i += 1) (prepare(other), probe.leakyMultiple());
    const t = compareTimes(LEAKY_SAMPLES, FIXED['a single bit']!, prepare, () => probe.leakyMultiple());
    expect(t).to.be.greaterThan(LIMIT);
  });

  for (const [name, [prepare, call]] of Object.entries(OPERATIONS)) {
    for (const [what, fixed] of Object.entries(FIXED)) {
      it(`of the ${name} is the same for ${what} as for random secrets (${SAMPLES} samples)`, function () {
        this.timeout(0);
        const t = compareTimes(SAMPLES, fixed, prepare, call);
        process.stderr.write(`    t = ${t.toFixed(1)}\n`);
        expect(t).to.be.lessThan(LIMIT);
      });
    }
  }
});
