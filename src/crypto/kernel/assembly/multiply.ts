/**
 * Multiples of points. Scalars are nine limbs in [0, n); products come out homogeneous. The secret ones write the odd one
 * of k and n - k as digits with signs, all odd, so that no digit is 0, and sum from the highest digit down: before the
 * last digit no sum meets an equal, opposite or infinite point (README.md has the proof), and the last sum is complete.
 */
import { ELEMENT, slot, WINDOW, WINDOW_ENTRY } from './layout';
import { copy, negateIf, toWords } from './limbs';
import { ONE } from './field';
import { oddHalf } from './order';
import { BASE_WINDOWS, loadBaseEntry, selectBaseEntry } from './base-table';
import {
  addAffine,
  addComplete,
  addEntry,
  completeEntry,
  double,
  homogeneousFromEntry,
  homogeneousFromJacobian,
  homogeneousFromXyzz,
} from './point';

const WIDTH: i32 = 5;
const ENTRIES: i32 = 16;
/** Where the digits of a scalar are cut from: five 64-bit words, in two slots. */
const DIGITS: usize = slot(18);
const ACCUMULATOR: usize = slot(20);
/** An affine point, or an entry. */
const CHOSEN: usize = slot(24);
const HALF: usize = slot(29);

/** Bits of the scalar from `from` on; what is read depends on `from`, which is public. */
function digitBits(from: i32, width: i32): i32 {
  const word: usize = DIGITS + ((<usize>from >> 6) << 3);
  const shift: u64 = <u64>(from & 63);
  const bits: u64 = (load<u64>(word) >> shift) | ((load<u64>(word, 8) << 1) << (63 - shift));
  return <i32>bits & ((1 << width) - 1);
}

/** Prepares the digits of k; the mask says that they are those of n - k. */
function prepareDigits(k: usize): i64 {
  const negated: i64 = oddHalf(HALF, k);
  toWords(DIGITS, HALF);
  store<u64>(DIGITS, 0, 32);
  return negated;
}

/** The entry number of a window's bits b for the digit 2b + 1 - 2^width: |digit| = 2 number + 1. */
function entryNumber(bits: i32, width: i32): i32 {
  const below: i32 = (bits >> (width - 1)) - 1; // all ones for a negative digit
  return (bits ^ below) & ((1 << (width - 1)) - 1);
}

function digitSign(bits: i32, width: i32): i64 {
  return <i64>(bits >> (width - 1)) - 1;
}

/** r = kG in time that does not depend on k. Slots 0 to 29 are overwritten; r is none of them. */
export function multiplyBase(r: usize, k: usize): void {
  const negated: i64 = prepareDigits(k);
  selectBaseEntry(ACCUMULATOR, BASE_WINDOWS - 1, digitBits(6 * (BASE_WINDOWS - 1), 6));
  copy(ACCUMULATOR + 2 * ELEMENT, ONE);
  copy(ACCUMULATOR + 3 * ELEMENT, ONE);
  for (let window = BASE_WINDOWS - 2; window >= 0; window--) {
    const bits: i32 = digitBits(6 * window, 6);
    selectBaseEntry(CHOSEN, window, entryNumber(bits, 6));
    negateIf(CHOSEN + ELEMENT, digitSign(bits, 6));
    if (window > 0) addAffine(ACCUMULATOR, CHOSEN);
  }
  finishBase(r, negated);
}

/** r = kG for a public k: the same sums, with the entries looked up. */
export function multiplyBasePublic(r: usize, k: usize): void {
  const negated: i64 = prepareDigits(k);
  loadBaseEntry(ACCUMULATOR, BASE_WINDOWS - 1, digitBits(6 * (BASE_WINDOWS - 1), 6));
  copy(ACCUMULATOR + 2 * ELEMENT, ONE);
  copy(ACCUMULATOR + 3 * ELEMENT, ONE);
  for (let window = BASE_WINDOWS - 2; window >= 0; window--) {
    const bits: i32 = digitBits(6 * window, 6);
    loadBaseEntry(CHOSEN, window, entryNumber(bits, 6));
    negateIf(CHOSEN + ELEMENT, digitSign(bits, 6));
    if (window > 0) addAffine(ACCUMULATOR, CHOSEN);
  }
  finishBase(r, negated);
}

/** The last, complete sum of accumulator and chosen point, and the sign. */
function finishBase(r: usize, negated: i64): void {
  homogeneousFromXyzz(ACCUMULATOR);
  copy(CHOSEN + 2 * ELEMENT, ONE);
  addComplete(ACCUMULATOR, CHOSEN);
  negateIf(ACCUMULATOR + ELEMENT, negated);
  memory.copy(r, ACCUMULATOR, 3 * ELEMENT);
}

/** Stores a point as entry `number` of the table of multiples: five elements as 32-bit limbs. */
function storeEntry(number: i32, entry: usize): void {
  const to: usize = WINDOW + <usize>number * WINDOW_ENTRY;
  for (let i: usize = 0; i < 45; i++) store<i32>(to + 4 * i, <i32>load<i64>(entry + 8 * i));
}

/** Fills the table with P, 3P, 5P ... (2 count - 1)P of an affine point. */
function buildWindow(affine: usize, count: i32): void {
  const twice: usize = slot(30); // entry, to slot 34
  memory.copy(CHOSEN, affine, 2 * ELEMENT);
  copy(CHOSEN + 2 * ELEMENT, ONE);
  completeEntry(CHOSEN);
  memory.copy(twice, CHOSEN, 3 * ELEMENT);
  double(twice);
  completeEntry(twice);
  storeEntry(0, CHOSEN);
  for (let i = 1; i < count; i++) {
    addEntry(CHOSEN, twice);
    completeEntry(CHOSEN);
    storeEntry(i, CHOSEN);
  }
}

/** The entry whose number is public. */
function loadEntry(number: i32): void {
  const from: usize = WINDOW + <usize>number * WINDOW_ENTRY;
  for (let i: usize = 0; i < 45; i++) store<i64>(CHOSEN + 8 * i, <i64>load<i32>(from + 4 * i));
}

/** The entry whose number is secret: every entry is read, and all but one masked out. */
function selectEntry(number: i32): void {
  const wanted: v128 = i32x4.splat(number);
  for (let part: usize = 0; part < WINDOW_ENTRY; part += 48) {
    let v0: v128 = i64x2.splat(0);
    let v1: v128 = i64x2.splat(0);
    let v2: v128 = i64x2.splat(0);
    let from: usize = WINDOW + part;
    for (let j = 0; j < ENTRIES; j++) {
      const mask: v128 = i32x4.eq(i32x4.splat(j), wanted);
      v0 = v128.or(v0, v128.and(v128.load(from, 0), mask));
      v1 = v128.or(v1, v128.and(v128.load(from, 16), mask));
      v2 = v128.or(v2, v128.and(v128.load(from, 32), mask));
      from += WINDOW_ENTRY;
    }
    const to: usize = CHOSEN + 2 * part;
    storeWidened(to, v0);
    storeWidened(to + 32, v1);
    storeWidened(to + 64, v2);
  }
}

function storeWidened(to: usize, v: v128): void {
  v128.store(to, i64x2.extend_low_i32x4_s(v), 0);
  v128.store(to, i64x2.extend_high_i32x4_s(v), 16);
}

/**
 * r = k (x, y) in time that does not depend on k, for an affine point of the curve. Slots 0 to 34 and the table of
 * multiples are overwritten; r is none of them.
 */
export function multiplyPoint(r: usize, affine: usize, k: usize): void {
  const windows: i32 = 52;
  const negated: i64 = prepareDigits(k);
  buildWindow(affine, ENTRIES);
  // Bit 259 is the highest digit, always 1.
  memory.copy(ACCUMULATOR, affine, 2 * ELEMENT);
  copy(ACCUMULATOR + 2 * ELEMENT, ONE);
  for (let window = windows - 2; window >= 0; window--) {
    for (let i = 0; i < WIDTH; i++) double(ACCUMULATOR);
    const bits: i32 = digitBits(WIDTH * window, WIDTH);
    selectEntry(entryNumber(bits, WIDTH));
    negateIf(CHOSEN + ELEMENT, digitSign(bits, WIDTH));
    if (window > 0) addEntry(ACCUMULATOR, CHOSEN);
  }
  homogeneousFromJacobian(ACCUMULATOR);
  homogeneousFromEntry(CHOSEN);
  addComplete(ACCUMULATOR, CHOSEN);
  negateIf(ACCUMULATOR + ELEMENT, negated);
  memory.copy(r, ACCUMULATOR, 3 * ELEMENT);
}

/** Digits of a public scalar for multiplyPointPublic: an octet each, none or odd within +-15, the lowest first. */
const NAF: usize = slot(35);
const NAF_DIGITS: i32 = 257;

/** Writes k as digits of which at most one in five is not 0; the number of the highest such digit, or -1. */
function writeNaf(k: usize): i32 {
  toWords(DIGITS, k);
  store<u64>(DIGITS, 0, 32);
  memory.fill(NAF, 0, NAF_DIGITS);
  let highest: i32 = -1;
  let carried: i32 = 0;
  let i: i32 = 0;
  while (i < NAF_DIGITS) {
    const bit: i32 = digitBits(i, 1) + carried;
    if ((bit & 1) == 0) {
      carried = bit >> 1;
      i++;
    } else {
      const bits: i32 = digitBits(i, WIDTH) + carried;
      carried = bits >> (WIDTH - 1);
      store<i8>(NAF + i, <i8>(bits - (carried << WIDTH)));
      highest = i;
      i += WIDTH;
    }
  }
  return highest;
}

/** r = k (x, y) for a public k. Slots 6 to 38 and the table of multiples are overwritten. */
export function multiplyPointPublic(r: usize, affine: usize, k: usize): void {
  const highest: i32 = writeNaf(k);
  buildWindow(affine, 8);
  copy(ACCUMULATOR, ONE);
  copy(ACCUMULATOR + ELEMENT, ONE);
  memory.fill(ACCUMULATOR + 2 * ELEMENT, 0, ELEMENT);
  let empty: bool = true;
  for (let i = highest; i >= 0; i--) {
    if (!empty) double(ACCUMULATOR);
    const digit: i32 = load<i8>(NAF + i);
    if (digit != 0 && i > 0) {
      loadEntry((digit < 0 ? -digit : digit) >> 1);
      negateIf(CHOSEN + ELEMENT, <i64>(digit >> 31));
      if (empty) memory.copy(ACCUMULATOR, CHOSEN, 3 * ELEMENT);
      else addEntry(ACCUMULATOR, CHOSEN);
      empty = false;
    }
  }
  homogeneousFromJacobian(ACCUMULATOR);
  if (load<i8>(NAF) != 0) {
    const digit: i32 = load<i8>(NAF);
    loadEntry((digit < 0 ? -digit : digit) >> 1);
    negateIf(CHOSEN + ELEMENT, <i64>(digit >> 31));
    homogeneousFromEntry(CHOSEN);
    addComplete(ACCUMULATOR, CHOSEN);
  }
  memory.copy(r, ACCUMULATOR, 3 * ELEMENT);
}
