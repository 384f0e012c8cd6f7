/** The limbs of the kernel against BigInt, at the values where its representation has its seams. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { SM2_CURVE } from '../../../src/crypto/gm/sm2-curve.ts';
import { buildProbe, type Probe } from './probe.ts';

const { p, n } = SM2_CURVE;
const LIMB = 29n;
const R = 1n << 261n;
const TOP = 1n << 256n;
// Free places: the intermediate values stand below 0x12000.
const [A, B, C, RESULT] = [0x20000, 0x20100, 0x20200, 0x20300];

function modulo(value: bigint, m: bigint): bigint {
  return ((value % m) + m) % m;
}

function inverse(value: bigint, m: bigint): bigint {
  let [result, base, exponent] = [1n, modulo(value, m), m - 2n];
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % m) if (exponent & 1n) result = (result * base) % m;
  return result;
}

/** The seams: round every limb boundary, the moduli, the ends, single limbs full. */
function seams(): bigint[] {
  const values = [0n, 1n, 2n, p - 1n, p, p + 1n, n - 1n, n, n + 1n, TOP - 1n, TOP - p, R % p, R % n];
  for (let limb = 1n; limb <= 8n; limb += 1n) {
    const edge = 1n << (limb * LIMB);
    values.push(edge - 1n, edge, edge + 1n, (TOP - 1n) ^ (edge - 1n), ((1n << LIMB) - 1n) << ((limb - 1n) * LIMB));
  }
  return values;
}

describe('the arithmetic of the kernel', () => {
  let probe: Probe;
  let memory: DataView;

  before(function () {
    this.timeout(60_000);
    probe = buildProbe();
    memory = new DataView(probe.memory.buffer);
  });

  /** Limbs 0 to 7 of 29 bits; the last one takes the rest, with its sign. */
  function put(at: number, value: bigint): void {
    for (let limb = 0; limb < 8; limb += 1) {
      memory.setBigInt64(at + 8 * limb, (value >> (LIMB * BigInt(limb))) & 0x1fffffffn, true);
    }
    memory.setBigInt64(at + 64, value >> (LIMB * 8n), true);
  }

  function putLimbs(at: number, limbs: readonly bigint[]): void {
    limbs.forEach((limb, index) => memory.setBigInt64(at + 8 * index, limb, true));
  }

  function limbsAt(at: number): bigint[] {
    return Array.from({ length: 9 }, (_, limb) => memory.getBigInt64(at + 8 * limb, true));
  }

  function valueOf(limbs: readonly bigint[]): bigint {
    return limbs.reduce((sum, limb, index) => sum + (limb << (LIMB * BigInt(index))), 0n);
  }

  /** The result is what it must be modulo `m`, and its limbs are in their range. */
  function expectResult(expected: bigint, m: bigint, what: string): void {
    const limbs = limbsAt(RESULT);
    for (const limb of limbs.slice(0, 8)) expect(limb >= 0n && limb < 1n << LIMB, `${what}: a limb`).to.equal(true);
    expect(limbs[8]! < 1n << LIMB && limbs[8]! > -(1n << LIMB), `${what}: the last limb`).to.equal(true);
    expect(modulo(valueOf(limbs), m), what).to.equal(modulo(expected, m));
  }

  it('multiplies every two of the seams modulo p and modulo n', () => {
    const values = seams();
    const [byP, byN] = [inverse(R, p), inverse(R, n)];
    for (const a of values) {
      for (const b of values) {
        put(A, a);
        put(B, b);
        put(C, modulo(a * 3n + b, p));
        probe.mul(RESULT, A, B);
        expectResult(a * b * byP, p, `mul ${a} ${b}`);
        probe.mulLess(RESULT, A, B, C);
        expectResult(a * b * byP - modulo(a * 3n + b, p), p, `mulLess ${a} ${b}`);
        probe.mulOrder(RESULT, A, B);
        expectResult(a * b * byN, n, `mulOrder ${a} ${b}`);
      }
      probe.sqr(RESULT, A);
      expectResult(a * a * byP, p, `sqr ${a}`);
      probe.sqrLess(RESULT, A, C);
      expectResult(a * a * byP - modulo(a * 3n + values.at(-1)!, p), p, `sqrLess ${a}`);
    }
  });

  it('multiplies operands with every limb at its bound, of either sign', () => {
    // The largest that the formulas hand over: one operand of two carried sums, the other a difference.
    const full = (1n << LIMB) - 1n;
    const operands = [1n, -1n].flatMap((sign) =>
      [1n, 2n].map((factor) => [...Array<bigint>(8).fill(sign * factor * full), sign * (1n << 28n)]),
    );
    const byP = inverse(R, p);
    for (const a of operands) {
      for (const b of operands) {
        if ((a[0]! / full) * (b[0]! / full) > 2n || (a[0]! / full) * (b[0]! / full) < -2n) continue;
        putLimbs(A, a);
        putLimbs(B, b);
        put(C, 0n);
        probe.mul(RESULT, A, B);
        expect(modulo(valueOf(limbsAt(RESULT)), p)).to.equal(modulo(valueOf(a) * valueOf(b) * byP, p));
        if (a === b && a[0]! * a[0]! <= full * full) {
          probe.sqr(RESULT, A);
          expect(modulo(valueOf(limbsAt(RESULT)), p)).to.equal(modulo(valueOf(a) * valueOf(a) * byP, p));
        }
      }
    }
  });

  it('inverts the seams, and 0 to 0, modulo p and modulo n', () => {
    for (const a of seams()) {
      put(A, a);
      probe.invert(RESULT, A);
      expectResult(modulo(a, p) === 0n ? 0n : inverse(a, p) * R * R, p, `invert ${a}`);
      probe.invertOrder(RESULT, A);
      expectResult(modulo(a, n) === 0n ? 0n : inverse(a, n) * R * R, n, `invertOrder ${a}`);
    }
  });

  it('brings numbers of either sign into [0, p)', () => {
    for (const a of seams().flatMap((value) => [value, -value, value * 15n, -value * 15n])) {
      put(A, a);
      probe.toNumber(RESULT, A);
      expect(valueOf(limbsAt(RESULT)), `toNumber ${a}`).to.equal(modulo(a * inverse(R, p), p));
    }
  });

  it('multiplies at random', () => {
    const byP = inverse(R, p);
    for (let round = 0; round < 5_000; round += 1) {
      const [a, b] = [randomBytes(32), randomBytes(32)].map((octets) => BigInt(`0x${octets.toString('hex')}`));
      put(A, a!);
      put(B, -b!);
      probe.mul(RESULT, A, B);
      expectResult(-a! * b! * byP, p, 'mul at random');
    }
  });
});
