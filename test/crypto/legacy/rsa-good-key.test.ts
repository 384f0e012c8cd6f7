import { checkPrimeSync, generatePrimeSync } from 'node:crypto';
import { expect } from 'chai';
import { fromBigInt } from '../../../src/crypto/bytes.ts';
import { generateRsaKey } from '../../../src/crypto/legacy/rsa.ts';
import { assertGoodRsaKey } from '../../../src/crypto/legacy/rsa-good-key.ts';
import type { RsaSizes } from '../../../src/crypto/legacy/rsa-good-key.ts';
import { parseSpki } from '../../../src/crypto/spki.ts';
import { refusal } from '../refusal.ts';

const E = Buffer.from([1, 0, 1]);

function octets(value: bigint): Buffer {
  return fromBigInt(value, Math.ceil(value.toString(16).length / 2));
}

function prime(bits: number): bigint {
  return generatePrimeSync(bits, { bigint: true });
}

/** A prime of the form k·M + (65537^a mod M), as the faulty generator made them; M is the product of primes to 167. */
function rocaPrime(bits: number): bigint {
  const primes = Array.from({ length: 167 }, (_, index) => index + 1).filter(
    (candidate) =>
      candidate > 1 && Array.from({ length: candidate - 2 }, (_, index) => index + 2).every((d) => candidate % d !== 0),
  );
  const modulus = primes.reduce((product, each) => product * BigInt(each), 1n);
  return generatePrimeSync(bits, { bigint: true, add: modulus, rem: 65_537n ** 5n % modulus });
}

// Small keys are quicker to make, and the rules after that of the size do not depend on it.
const SMALL = { smallestBits: 1000, largestBits: 1100 };

async function fault(n: bigint, e: Buffer = E, sizes?: RsaSizes): Promise<string> {
  return (await refusal('E_KEY_BLOCKED', () => assertGoodRsaKey({ n: octets(n), e }, sizes))).message;
}

/** The next prime after `value`. */
function nextPrime(value: bigint): bigint {
  let next = value + 2n;
  while (!checkPrimeSync(next)) next += 2n;
  return next;
}

describe('good RSA keys (A14)', () => {
  it('pass when they come from a good generator', async () => {
    const rsa = parseSpki((await generateRsaKey(2048)).spki).rsa!;
    assertGoodRsaKey(rsa);
    await refusal('E_KEY_BLOCKED', () => assertGoodRsaKey(rsa, { smallestBits: 3072, largestBits: 4096 }));
  });

  it('have the exponent 65537', async () => {
    const n = prime(512) * prime(512);
    assertGoodRsaKey({ n: octets(n), e: E }, SMALL);
    for (const e of [1n, 2n, 3n, 17n, 65_536n, 2n ** 64n + 1n]) {
      expect(await fault(n, octets(e), SMALL)).to.include('exponent');
    }
  });

  it('have 2048 to 4096 bits', async () => {
    for (const n of [2n ** 1023n + 1n, 2n ** 16_383n + 1n, 2n ** 32_767n + 1n]) {
      expect(await fault(n)).to.include('size');
    }
  });

  it('have no small factor, and are not even', async () => {
    expect(await fault(prime(1020) * 751n, E, SMALL)).to.include('small factor');
    expect(await fault(prime(1020) * 2n, E, SMALL)).to.include('small factor');
  });

  it('are not a prime number', async () => {
    expect(await fault(prime(1024), E, SMALL)).to.include('prime number');
  });

  it('have primes far from each other', async () => {
    const p = prime(512);
    expect(await fault(p * nextPrime(p), E, SMALL)).to.include('too close');
    expect(await fault(p * p, E, SMALL)).to.include('too close');
  });

  it('do not have the ROCA fingerprint', async () => {
    expect(await fault(rocaPrime(512) * rocaPrime(512), E, SMALL)).to.include('ROCA');
  });
});
