/**
 * The multiples of the base point: for each of 43 windows i of 6 bits the 32 points (2j + 1) 2^(6i) G, affine, an entry
 * of 64 octets (x, then y, four 64-bit words each). They are public and are computed at start.
 */
import { BASE_TABLE, BATCH, BATCH_POINT, ELEMENT, slot } from './layout';
import { copy, fromWords, toWords } from './limbs';
import { BASE_X, BASE_Y, ONE } from './field';
import { normalize } from './normalize';
import { addEntry, completeEntry, double, homogeneousFromJacobian } from './point';

export const BASE_WINDOWS: i32 = 43;
const ENTRIES: usize = 32;
const ENTRY: usize = 64;
export const BASE_TABLE_LENGTH: usize = <usize>BASE_WINDOWS * ENTRIES * ENTRY;

/** Fills the table. */
export function buildBaseTable(): void {
  const point: usize = slot(20); // Jacobian
  const step: usize = slot(24); // entry
  const next: usize = BATCH + ENTRIES * BATCH_POINT;
  copy(point, BASE_X);
  copy(point + ELEMENT, BASE_Y);
  for (let window: usize = 0; window < <usize>BASE_WINDOWS; window++) {
    copy(point + 2 * ELEMENT, ONE);
    memory.copy(next, point, 3 * ELEMENT);
    double(next);
    memory.copy(step, next, 3 * ELEMENT);
    completeEntry(step);
    for (let i = 1; i < 6; i++) double(next);
    for (let j: usize = 0; j < ENTRIES; j++) {
      memory.copy(BATCH + j * BATCH_POINT, point, 3 * ELEMENT);
      addEntry(point, step);
    }
    for (let j: usize = 0; j <= ENTRIES; j++) homogeneousFromJacobian(BATCH + j * BATCH_POINT);
    normalize(<i32>ENTRIES + 1);
    for (let j: usize = 0; j < ENTRIES; j++) {
      const entry: usize = BASE_TABLE + (window * ENTRIES + j) * ENTRY;
      toWords(entry, BATCH + j * BATCH_POINT);
      toWords(entry + 32, BATCH + j * BATCH_POINT + ELEMENT);
    }
    memory.copy(point, next, 2 * ELEMENT);
  }
}

/** The affine point of an entry whose number is public. */
export function loadBaseEntry(r: usize, window: i32, index: i32): void {
  const entry: usize = BASE_TABLE + (<usize>window * ENTRIES + <usize>index) * ENTRY;
  fromWords(r, load<u64>(entry, 0), load<u64>(entry, 8), load<u64>(entry, 16), load<u64>(entry, 24));
  fromWords(r + ELEMENT, load<u64>(entry, 32), load<u64>(entry, 40), load<u64>(entry, 48), load<u64>(entry, 56));
}

/** The affine point of an entry whose number is secret: every entry of the window is read, and all but one masked out. */
export function selectBaseEntry(r: usize, window: i32, index: i32): void {
  const wanted: v128 = i32x4.splat(index);
  const one: v128 = i32x4.splat(1);
  let number: v128 = i32x4.splat(0);
  let v0: v128 = i64x2.splat(0);
  let v1: v128 = i64x2.splat(0);
  let v2: v128 = i64x2.splat(0);
  let v3: v128 = i64x2.splat(0);
  let entry: usize = BASE_TABLE + <usize>window * ENTRIES * ENTRY;
  for (let j: usize = 0; j < ENTRIES; j++) {
    const mask: v128 = i32x4.eq(number, wanted);
    v0 = v128.or(v0, v128.and(v128.load(entry, 0), mask));
    v1 = v128.or(v1, v128.and(v128.load(entry, 16), mask));
    v2 = v128.or(v2, v128.and(v128.load(entry, 32), mask));
    v3 = v128.or(v3, v128.and(v128.load(entry, 48), mask));
    number = i32x4.add(number, one);
    entry += ENTRY;
  }
  fromWords(
    r,
    i64x2.extract_lane(v0, 0),
    i64x2.extract_lane(v0, 1),
    i64x2.extract_lane(v1, 0),
    i64x2.extract_lane(v1, 1),
  );
  fromWords(
    r + ELEMENT,
    i64x2.extract_lane(v2, 0),
    i64x2.extract_lane(v2, 1),
    i64x2.extract_lane(v3, 0),
    i64x2.extract_lane(v3, 1),
  );
}
