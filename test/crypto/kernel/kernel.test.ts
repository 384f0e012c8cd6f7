/** The operations of the kernel against `@noble/curves`, at the scalars and points where its digits have their seams. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { fromBigInt, toBigInt } from '../../../src/crypto/bytes.ts';
import { SM2_CURVE } from '../../../src/crypto/gm/sm2-curve.ts';
import { Sm2Point, type Sm2CurvePoint } from '../../../src/crypto/gm/sm2-noble.ts';
import { instantiateKernel } from '../../../src/crypto/kernel/kernel.ts';
import { hex, SM2_BAD } from '../vectors.ts';

const { p, n } = SM2_CURVE;
const INPUT = 0x20000;
const MESSAGE = INPUT + 0x400;
const OUTPUT = 0x31000;
const SECRETS_START = 0x10000;
const SECRETS_END = 0x40000;

const octets = (value: bigint): Buffer => fromBigInt(value, 32);

/** x || y, zeros for infinity. */
function coordinates(point: Sm2CurvePoint): Buffer {
  if (point.is0()) return Buffer.alloc(64);
  const { x, y } = point.toAffine();
  return Buffer.concat([octets(x), octets(y)]);
}

function multiple(point: Sm2CurvePoint, k: bigint): Sm2CurvePoint {
  return k % n === 0n ? Sm2Point.ZERO : point.multiplyUnsafe(k % n);
}

function randomScalar(): bigint {
  return (toBigInt(randomBytes(32)) % (n - 2n)) + 1n;
}

/** The ends, single bits, runs of ones, both windows' seams, and the one scalar at which each last sum meets its twin. */
function scalars(): bigint[] {
  const values = [0n, 1n, 2n, 3n, n - 3n, n - 2n, n - 1n, n, n + 1n, p - 1n, p, (1n << 256n) - 1n];
  for (let bit = 0n; bit < 256n; bit += 1n) values.push(1n << bit, ((1n << bit) - 1n) % n);
  for (let digit = 1n; digit < 64n; digit += 2n) values.push(digit, n - digit, n - 2n * digit, 2n * digit);
  values.push(30n * (1n << 252n) - n, (1n << 256n) - n);
  return values;
}

describe('the SM2 kernel', () => {
  const { exports, memory } = instantiateKernel();

  function baseMultiples(ks: readonly bigint[]): Buffer[] {
    ks.forEach((k, at) => octets(k).copy(memory, INPUT + 32 * at));
    exports.baseMultiples(ks.length);
    return ks.map((_, at) => Buffer.from(memory.subarray(OUTPUT + 64 * at, OUTPUT + 64 * at + 64)));
  }

  function pointMultiple(point: Buffer, k: bigint): Buffer | undefined {
    octets(k).copy(memory, INPUT);
    point.copy(memory, INPUT + 32);
    return exports.pointMultiples(1) === 0 ? undefined : Buffer.from(memory.subarray(OUTPUT, OUTPUT + 64));
  }

  it('has the table of the build, and computes the same', () => {
    const [start, length] = [exports.tableStart(), exports.tableLength()];
    const built = Buffer.from(memory.subarray(start, start + length));
    memory.fill(0, start, start + length);
    exports.buildTable();
    expect(memory.subarray(start, start + length).equals(built)).to.equal(true);
    expect(built.subarray(0, 64).equals(Buffer.alloc(64))).to.equal(false);
  });

  it('multiplies the base point by every seam, one by one and in a batch', function () {
    this.timeout(60_000);
    const ks = scalars();
    const expected = ks.map((k) => coordinates(multiple(Sm2Point.BASE, k)));
    for (const [at, k] of ks.entries()) expect(baseMultiples([k])[0]!.equals(expected[at]!), `${k}`).to.equal(true);
    for (let at = 0; at < ks.length; at += 128) {
      const batch = baseMultiples(ks.slice(at, at + 128));
      batch.forEach((point, index) => expect(point.equals(expected[at + index]!)).to.equal(true));
    }
  });

  it('multiplies other points by every seam', function () {
    this.timeout(60_000);
    for (const k of scalars()) {
      const point = multiple(Sm2Point.BASE, randomScalar());
      expect(pointMultiple(coordinates(point), k)!.equals(coordinates(multiple(point, k))), `${k}`).to.equal(true);
    }
  });

  it('multiplies points whose coordinates have the seams of the limbs', () => {
    const inverseR = Sm2Point.Fp.inv((1n << 261n) % p);
    let tried = 0;
    for (let limb = 0n; limb <= 8n; limb += 1n) {
      for (const edge of [(1n << (29n * limb)) - 1n, 1n << (29n * limb), p - (1n << (29n * limb))]) {
        // As the standard writes them, and as the kernel's Montgomery form does.
        for (const x of [edge % p, (edge * inverseR) % p]) {
          const square = Sm2Point.Fp.create(x * x * x - 3n * x + SM2_CURVE.b);
          const root = Sm2Point.Fp.pow(square, (p + 1n) / 4n);
          const point = Buffer.concat([octets(x), octets(root)]);
          point.copy(memory, INPUT);
          const isPoint = Sm2Point.Fp.sqr(root) === square;
          expect(exports.isPoint() !== 0).to.equal(isPoint);
          if (!isPoint) continue;
          tried += 1;
          const k = randomScalar();
          const expected = coordinates(Sm2Point.fromAffine({ x, y: root }).multiplyUnsafe(k));
          expect(pointMultiple(point, k)!.equals(expected)).to.equal(true);
        }
      }
    }
    expect(tried).to.be.greaterThan(10);
  });

  it('refuses coordinates of p and more, infinity, and points off the curve', () => {
    const bad: Buffer[] = [Buffer.alloc(64), Buffer.concat([octets(p), octets(1n)]), Buffer.alloc(64, 0xff)];
    const { x, y } = Sm2Point.BASE.toAffine();
    bad.push(Buffer.concat([octets(x), octets(y + 1n)]), Buffer.concat([octets(x), octets(p)]));
    for (const { hex: point } of SM2_BAD.badPublicKeys) if (hex(point).length === 65) bad.push(hex(point).subarray(1));
    for (const { point } of SM2_BAD.invalidCurvePoints.points) bad.push(hex(point).subarray(1));
    for (const point of bad.filter((one) => !one.equals(coordinates(Sm2Point.BASE)))) {
      point.copy(memory, INPUT);
      // A hybrid form of a good point differs in its first octet only, which is not for the kernel.
      if (exports.isPoint() !== 0) Sm2Point.fromBytes(Buffer.concat([Buffer.from([4]), point]));
      else expect(pointMultiple(point, 5n)).to.equal(undefined);
    }
    Buffer.alloc(64).copy(memory, INPUT);
    expect(exports.isPoint()).to.equal(0);
  });

  it('gives no inverse for d = 0, n - 1, n and more, and spoils no other of the batch', () => {
    const ds = [0n, 1n, n - 1n, n - 2n, n, n + 1n, (1n << 256n) - 1n, randomScalar()];
    ds.forEach((d, at) => octets(d).copy(memory, INPUT + 32 * at));
    exports.signingInverses(ds.length);
    for (const [at, d] of ds.entries()) {
      const inverse = toBigInt(memory.subarray(OUTPUT + 32 * at, OUTPUT + 32 * at + 32));
      if (d === 0n || d > n - 2n) expect(inverse).to.equal(0n);
      else expect((inverse * (1n + d)) % n).to.equal(1n);
    }
  });

  /** r || s for digest e, nonce k and private key d, by BigInt. */
  function expectedSignature(e: bigint, k: bigint, d: bigint): { r: bigint; s: bigint } {
    const r = k % n === 0n ? 0n : (e + multiple(Sm2Point.BASE, k).toAffine().x) % n;
    const inverse = Sm2Point.Fn.inv(1n + d);
    return { r, s: (inverse * ((((k - r * d) % n) + n) % n)) % n };
  }

  it('signs as the standard says, and asks for another nonce where it says so', () => {
    const d = randomScalar();
    const k = randomScalar();
    const { x } = multiple(Sm2Point.BASE, k).toAffine();
    const modulo = (value: bigint): bigint => ((value % n) + n) % n;
    const items: [bigint, bigint][] = [
      [toBigInt(randomBytes(32)), k],
      [(1n << 256n) - 1n, 1n],
      [0n, n - 1n],
      // r = 0; r + k = n; s = 0 would need k = r d.
      [modulo(-x), k],
      [modulo(-x - k), k],
      [modulo(k * Sm2Point.Fn.inv(d) - x), k],
      [5n, 0n],
      [5n, n],
    ];
    octets(d).copy(memory, INPUT);
    exports.signingInverses(1);
    const inverse = Buffer.from(memory.subarray(OUTPUT, OUTPUT + 32));
    items.forEach(([e, nonce], at) => {
      octets(e).copy(memory, INPUT + 96 * at);
      octets(nonce).copy(memory, INPUT + 96 * at + 32);
      inverse.copy(memory, INPUT + 96 * at + 64);
    });
    exports.signatures(items.length);
    items.forEach(([e, nonce], at) => {
      const made = Buffer.from(memory.subarray(OUTPUT + 64 * at, OUTPUT + 64 * at + 64));
      if (at >= 3) expect(made.equals(Buffer.alloc(64)), `item ${at}`).to.equal(true);
      else {
        const { r, s } = expectedSignature(e, nonce, d);
        expect(made.equals(Buffer.concat([octets(r), octets(s)])), `item ${at}`).to.equal(true);
      }
    });
  });

  function verifies(e: bigint, r: bigint, s: bigint, point: Buffer): boolean {
    [e, r, s].forEach((value, at) => octets(value).copy(memory, INPUT + 32 * at));
    point.copy(memory, INPUT + 96);
    return exports.verifies() !== 0;
  }

  it('verifies sums that meet equal, opposite and infinite points', () => {
    const d = randomScalar();
    const point = coordinates(multiple(Sm2Point.BASE, d));
    // sG = tP, sG = -tP (infinity), and small digits on both sides.
    const pairs: [bigint, bigint][] = [
      [(5n * d) % n, 5n],
      [n - ((5n * d) % n), 5n],
      [1n, 1n],
      [1n, n - 1n],
      [2n, 3n],
      [n - 2n, 1n],
    ];
    for (let digit = 1n; digit < 32n; digit += 2n) pairs.push([7n, n - 2n * digit], [7n, n - digit], [digit, digit]);
    for (const [s, t] of pairs) {
      const r = (((t - s) % n) + n) % n;
      if (r === 0n || s === 0n) continue;
      const sum = multiple(Sm2Point.BASE, s).add(multiple(Sm2Point.BASE, (t * d) % n));
      if (sum.is0()) {
        for (const e of [0n, r, n - r]) expect(verifies(e, r, s, point)).to.equal(false);
        continue;
      }
      const e = (((r - sum.toAffine().x) % n) + n) % n;
      expect(verifies(e, r, s, point), `s ${s} t ${t}`).to.equal(true);
      expect(verifies((e + 1n) % n, r, s, point)).to.equal(false);
    }
  });

  it('refuses r and s out of range, and r + s = n', () => {
    const d = randomScalar();
    const point = coordinates(multiple(Sm2Point.BASE, d));
    for (const [r, s] of [
      [0n, 1n],
      [1n, 0n],
      [n, 1n],
      [1n, n],
      [(1n << 256n) - 1n, 1n],
      [1n, (1n << 256n) - 1n],
      [5n, n - 5n],
    ] as const) {
      expect(verifies(0n, r, s, point)).to.equal(false);
    }
  });

  it('leaves nothing of a secret operation in its memory but the output', () => {
    const d = randomBytes(32);
    const point = coordinates(Sm2Point.BASE);
    const put = (...places: readonly number[]): void => places.forEach((at) => d.copy(memory, INPUT + at));
    const operations: Readonly<Record<string, () => void>> = {
      baseMultiples() {
        put(0);
        exports.baseMultiples(1);
      },
      pointMultiples() {
        put(0);
        point.copy(memory, INPUT + 32);
        exports.pointMultiples(1);
      },
      encryptionPoints() {
        put(0);
        point.copy(memory, INPUT + 32);
        exports.encryptionPoints(1);
      },
      signingInverses() {
        put(0);
        exports.signingInverses(1);
      },
      signatures() {
        put(0, 32, 64);
        exports.signatures(1);
      },
      exchangePoint() {
        put(0, 32, 64);
        [96, 160].forEach((at) => point.copy(memory, INPUT + at));
        exports.exchangePoint();
      },
      digest() {
        put(0);
        exports.digest(32);
      },
    };
    for (const [name, operation] of Object.entries(operations)) {
      memory.fill(0, SECRETS_START, SECRETS_END);
      operation();
      expect(
        memory.subarray(OUTPUT, OUTPUT + 32).every((octet) => octet === 0),
        name,
      ).to.equal(false);
      memory.fill(0, OUTPUT, OUTPUT + 256);
      const left = memory.subarray(SECRETS_START, SECRETS_END).findIndex((octet) => octet !== 0);
      expect(left, `${name} leaves an octet at`).to.equal(-1);
    }
    memory.fill(0, SECRETS_START, SECRETS_END);
    d.copy(memory, OUTPUT + 64);
    d.copy(memory, MESSAGE);
    exports.encryptMessage(32);
    memory.fill(0, OUTPUT, OUTPUT + 256).fill(0, MESSAGE, MESSAGE + 32);
    expect(memory.subarray(SECRETS_START, SECRETS_END).every((octet) => octet === 0)).to.equal(true);
  });
});
