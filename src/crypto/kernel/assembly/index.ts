/**
 * The operations. The host writes items or a message to INPUT, calls, reads OUTPUT and wipes what it reads; everything
 * else that may be secret is wiped here before an operation returns. Numbers and coordinates are 32 octets, big-endian.
 */
import { BASE_TABLE, BATCH, BATCH_POINT, ELEMENT, INPUT, MESSAGE, OUTPUT, slot, wipe } from './layout';
import { addLoose, carry, copy, fromOctets, lessMask, select, sub, toOctets, zeroMask } from './limbs';
import { fromNumber, isZero, P, readElement, toNumber } from './field';
import { mul } from './field-products';
import {
  addOrder,
  fromMontgomery,
  invertOrder,
  mulPlain,
  N,
  readReduced,
  readScalar,
  subOrder,
  toMontgomery,
} from './order';
import { mulOrder } from './order-product';
import { addComplete, isOnCurve } from './point';
import { BASE_TABLE_LENGTH, buildBaseTable } from './base-table';
import { multiplyBase, multiplyBasePublic, multiplyPoint, multiplyPointPublic } from './multiply';
import { normalize } from './normalize';
import { addKeyStream, sm3Append, sm3Begin, sm3End } from './sm3';

const SCALAR: usize = slot(39);
const POINT: usize = slot(40); // affine
const RESULT: usize = slot(42); // homogeneous
const A: usize = slot(45);
const B: usize = slot(46);
const C: usize = slot(47);

/** Computes the multiples of the base point: at build time, and in a test that compares them with those of the build. */
export function buildTable(): void {
  buildBaseTable();
  wipe(64, 0);
}

/** Where the multiples of the base point stand: the host fills the place in from the build. */
export function tableStart(): usize {
  return BASE_TABLE;
}

export function tableLength(): usize {
  return BASE_TABLE_LENGTH;
}

/** Reads an affine point into POINT; 1 when both coordinates are below p and it is on the curve. */
function readPoint(octets: usize): bool {
  const x: i64 = readElement(POINT, octets);
  const y: i64 = readElement(POINT + ELEMENT, octets + 32);
  return (x & y & isOnCurve(POINT)) != 0;
}

function batchPoint(index: i32): usize {
  return BATCH + <usize>index * BATCH_POINT;
}

/** Affine x and y of a point of the batch to octets; coordinates there are in [0, p). */
function writePoint(octets: usize, index: i32): void {
  const point: usize = batchPoint(index);
  toNumber(A, point);
  toOctets(octets, A);
  toNumber(A, point + ELEMENT);
  toOctets(octets + 32, A);
}

/** Is x || y a point of the curve? */
export function isPoint(): bool {
  return readPoint(INPUT);
}

/** Items k (reduced modulo n) to kG as x || y; infinity comes out as zeros. At most 128. */
export function baseMultiples(count: i32): void {
  for (let i = 0; i < count; i++) {
    readReduced(SCALAR, INPUT + <usize>i * 32);
    multiplyBase(batchPoint(i), SCALAR);
  }
  normalize(count);
  for (let i = 0; i < count; i++) writePoint(OUTPUT + <usize>i * 64, i);
  wipe(count, <usize>count * 32);
}

/** Items k || x || y (k reduced modulo n) to k(x, y). False, and nothing, when a point is not on the curve. At most 128. */
export function pointMultiples(count: i32): bool {
  let sound: bool = true;
  for (let i = 0; i < count; i++) {
    const item: usize = INPUT + <usize>i * 96;
    readReduced(SCALAR, item);
    sound = readPoint(item + 32) && sound;
    multiplyPoint(batchPoint(i), POINT, SCALAR);
  }
  if (sound) {
    normalize(count);
    for (let i = 0; i < count; i++) writePoint(OUTPUT + <usize>i * 64, i);
  }
  wipe(count, <usize>count * 96);
  return sound;
}

/** Items k || x || y to kG and k(x, y), 128 octets: the points of an encryption. False as above. At most 64. */
export function encryptionPoints(count: i32): bool {
  let sound: bool = true;
  for (let i = 0; i < count; i++) {
    const item: usize = INPUT + <usize>i * 96;
    readReduced(SCALAR, item);
    sound = readPoint(item + 32) && sound;
    multiplyBase(batchPoint(2 * i), SCALAR);
    multiplyPoint(batchPoint(2 * i + 1), POINT, SCALAR);
  }
  if (sound) {
    normalize(2 * count);
    for (let i = 0; i < 2 * count; i++) writePoint(OUTPUT + <usize>i * 64, i);
  }
  wipe(2 * count, <usize>count * 96);
  return sound;
}

/** Items d to (1 + d)^-1 modulo n, zeros when d is not in [1, n-2]. At most 128. */
export function signingInverses(count: i32): void {
  // Montgomery's trick as in normalize, modulo n; each place holds the factor and the product before it.
  memory.fill(A, 0, ELEMENT);
  store<i64>(A, 1);
  toMontgomery(B, A); // B = product so far
  copy(RESULT, B); // 1
  for (let i = 0; i < count; i++) {
    const place: usize = batchPoint(i);
    const valid: i64 = readScalar(SCALAR, INPUT + <usize>i * 32);
    addOrder(SCALAR, SCALAR, A);
    const usable: i64 = valid & ~zeroMask(SCALAR);
    toMontgomery(place, SCALAR);
    select(place, RESULT, place, usable);
    copy(place + ELEMENT, B);
    store<i64>(place + 2 * ELEMENT, usable);
    mulOrder(B, B, place);
  }
  invertOrder(B, B);
  for (let i = count - 1; i >= 0; i--) {
    const place: usize = batchPoint(i);
    mulOrder(C, B, place + ELEMENT);
    mulOrder(B, B, place);
    fromMontgomery(SCALAR, C);
    memory.fill(C, 0, ELEMENT);
    select(SCALAR, C, SCALAR, load<i64>(place + 2 * ELEMENT));
    toOctets(OUTPUT + <usize>i * 32, SCALAR);
  }
  wipe(count, <usize>count * 32);
}

/**
 * Items e || k || (1 + d)^-1 to signatures r || s (GB/T 32918.2 6.1), s = (1 + d)^-1 (k + r) - r; zeros when the standard
 * asks for another k, or k is not in [1, n-1]. At most 128.
 */
export function signatures(count: i32): void {
  for (let i = 0; i < count; i++) {
    const point: usize = batchPoint(i);
    readScalar(SCALAR, INPUT + <usize>i * 96 + 32);
    multiplyBase(point, SCALAR);
  }
  normalize(count);
  for (let i = 0; i < count; i++) {
    const item: usize = INPUT + <usize>i * 96;
    const output: usize = OUTPUT + <usize>i * 64;
    let usable: i64 = readScalar(SCALAR, item + 32);
    toNumber(A, batchPoint(i));
    toOctets(output, A);
    readReduced(A, output); // x1 modulo n
    readReduced(B, item); // e
    addOrder(A, A, B); // r
    usable &= ~zeroMask(A);
    addOrder(B, SCALAR, A); // k + r
    usable &= ~zeroMask(B);
    readReduced(C, item + 64);
    mulPlain(B, B, C);
    subOrder(B, B, A); // s
    usable &= ~zeroMask(B);
    memory.fill(C, 0, ELEMENT);
    select(A, C, A, usable);
    select(B, C, B, usable);
    toOctets(output, A);
    toOctets(output + 32, B);
  }
  wipe(count, <usize>count * 96);
}

/**
 * Verifies e || r || s || x || y (GB/T 32918.2 7.1). All is public, and the time depends on it. The sum stays homogeneous:
 * r = e + x1 modulo n holds when X = x1 Z for one of the x1 below p.
 */
export function verifies(): bool {
  const t: usize = SCALAR;
  if (!readPoint(INPUT + 96)) return false;
  if (!readScalar(A, INPUT + 32) || !readScalar(t, INPUT + 64)) return false;
  multiplyBasePublic(RESULT, t);
  addOrder(t, t, A);
  if (zeroMask(t)) return false;
  memory.copy(BATCH, RESULT, 3 * ELEMENT);
  multiplyPointPublic(RESULT, POINT, t);
  addComplete(RESULT, BATCH);
  if (isZero(RESULT + 2 * ELEMENT)) return false;
  readScalar(A, INPUT + 32);
  readReduced(B, INPUT);
  subOrder(A, A, B);
  if (isX(A)) return true;
  addLoose(A, A, N);
  carry(A);
  return lessMask(slot(0), A, P) != 0 && isX(A);
}

/** X = number Z in RESULT. */
function isX(number: usize): bool {
  fromNumber(B, number);
  mul(B, B, RESULT + 2 * ELEMENT);
  sub(B, B, RESULT);
  return isZero(B) != 0;
}

/**
 * The shared point of a key exchange (GB/T 32918.3 6.1) from d || own ephemeral r || its x || peer's x || y || peer's
 * ephemeral x || y: t = d + x~ r modulo n and U = t (P + x~' R'). False when a point is not on the curve or the sum is
 * infinity; U itself may be infinity, and comes out as zeros.
 */
export function exchangePoint(): bool {
  let sound: bool = readPoint(INPUT + 160);
  halfX(SCALAR, INPUT + 160);
  multiplyPointPublic(RESULT, POINT, SCALAR);
  memory.copy(BATCH, RESULT, 3 * ELEMENT);
  sound = readPoint(INPUT + 96) && sound;
  memory.copy(RESULT, POINT, 2 * ELEMENT);
  memory.fill(A, 0, ELEMENT);
  store<i64>(A, 1);
  fromNumber(RESULT + 2 * ELEMENT, A);
  addComplete(BATCH, RESULT);
  sound = isZero(BATCH + 2 * ELEMENT) == 0 && sound;
  normalize(1);
  memory.copy(POINT, BATCH, 2 * ELEMENT);
  halfX(A, INPUT + 64);
  readReduced(B, INPUT + 32);
  mulPlain(A, A, B);
  readReduced(B, INPUT);
  addOrder(SCALAR, A, B);
  multiplyPoint(BATCH, POINT, SCALAR);
  normalize(1);
  if (sound) writePoint(OUTPUT, 0);
  wipe(1, 224);
  return sound;
}

/** 2^127 + (x mod 2^127) of 32 octets. */
function halfX(r: usize, octets: usize): void {
  store<u64>(slot(1), 0, 0);
  store<u64>(slot(1), 0, 8);
  memory.copy(slot(1) + 16, octets + 16, 16);
  store<u8>(slot(1) + 16, load<u8>(slot(1) + 16) | 0x80);
  fromOctets(r, slot(1));
}

/** The message in MESSAGE to C2 in place and C3 in OUTPUT + 128, under x2 || y2 in OUTPUT + 64. False: take another k. */
export function encryptMessage(length: u32): bool {
  digestMessage(OUTPUT + 128, length);
  const zero: i64 = addKeyStream(MESSAGE, length, OUTPUT + 64, slot(0));
  wipe(0, 0);
  return zero == 0;
}

/** C2 in MESSAGE to the message in place, under x2 || y2 in OUTPUT and C3 in INPUT. False when it is not that one. */
export function decryptMessage(length: u32): bool {
  memory.copy(OUTPUT + 64, OUTPUT, 64);
  const zero: i64 = addKeyStream(MESSAGE, length, OUTPUT, slot(0));
  digestMessage(OUTPUT + 128, length);
  let difference: u64 = 0;
  for (let i: usize = 0; i < 32; i += 8) difference |= load<u64>(OUTPUT + 128 + i) ^ load<u64>(INPUT + i);
  wipe(0, 32);
  return difference == 0 && zero == 0;
}

/** SM3(x2 || message || y2), x2 || y2 in OUTPUT + 64. */
function digestMessage(to: usize, length: u32): void {
  sm3Begin();
  sm3Append(OUTPUT + 64, 32);
  sm3Append(MESSAGE, length);
  sm3Append(OUTPUT + 96, 32);
  sm3End(to);
}

/** SM3 of the first octets of INPUT, to OUTPUT. */
export function digest(length: u32): void {
  sm3Begin();
  sm3Append(INPUT, length);
  sm3End(OUTPUT);
  wipe(0, length);
}

/** SM3 of a long message part by part through INPUT. */
export function digestBegin(): void {
  sm3Begin();
}

export function digestAppend(length: u32): void {
  sm3Append(INPUT, length);
  memory.fill(INPUT, 0, length);
}

export function digestEnd(): void {
  sm3End(OUTPUT);
  wipe(0, 0);
}
