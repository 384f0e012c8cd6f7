/**
 * Sums of points of y^2 = x^3 - 3x + b. Points stand one coordinate after the other, an element each:
 * affine (x, y); Jacobian (X, Y, Z) for (X/Z^2, Y/Z^3); XYZZ (X, Y, Z^2, Z^3); homogeneous (X, Y, Z) for (X/Z, Y/Z); and
 * an entry of a table, Jacobian with its Z^2 and Z^3 (X, Y, Z, Z^2, Z^3). No branch and no address depends on a value.
 * Slots 6 to 17 are overwritten.
 */
import { ELEMENT, slot } from './layout';
import { add, addLoose, addTwice, copy, doubleLoose, multiple, sub, subLoose } from './limbs';
import { CURVE_B, isZero, ONE } from './field';
import { mul, mulLess, sqr, sqrLess } from './field-products';

const X: usize = 0;
const Y: usize = ELEMENT;
const Z: usize = 2 * ELEMENT;
const ZZ: usize = 3 * ELEMENT;
const ZZZ: usize = 4 * ELEMENT;
/** Places in a point of the form XYZZ. */
const SECOND: usize = 2 * ELEMENT;
const THIRD: usize = 3 * ELEMENT;

/** The mask of "y^2 = x^3 - 3x + b". */
export function isOnCurve(affine: usize): i64 {
  const t: usize = slot(6);
  const u: usize = slot(7);
  sqr(t, affine + X);
  multiple(u, ONE, 3);
  sub(t, t, u);
  mul(t, t, affine + X);
  add(t, t, CURVE_B);
  sqr(u, affine + Y);
  sub(t, t, u);
  return isZero(t);
}

/**
 * acc += (x, y), XYZZ and affine: madd-2008-s of the Explicit-Formulas Database, 8 products and 2 squares. Wrong when
 * the points are equal or opposite or acc is infinity: callers show that this does not happen.
 */
export function addAffine(acc: usize, affine: usize): void {
  const p: usize = slot(6);
  const r: usize = slot(7);
  const pp: usize = slot(8);
  const ppp: usize = slot(9);
  const q: usize = slot(10);
  const t: usize = slot(11);
  mul(p, affine + X, acc + SECOND);
  subLoose(p, p, acc + X);
  mul(r, affine + Y, acc + THIRD);
  subLoose(r, r, acc + Y);
  sqr(pp, p);
  mul(ppp, p, pp);
  mul(q, acc + X, pp);
  addTwice(t, ppp, q);
  sqrLess(acc + X, r, t);
  subLoose(q, q, acc + X);
  mul(t, acc + Y, ppp);
  mulLess(acc + Y, r, q, t);
  mul(acc + SECOND, acc + SECOND, pp);
  mul(acc + THIRD, acc + THIRD, ppp);
}

/** acc = 2 acc, Jacobian: 4 products and 4 squares (a = -3). Right for every point, infinity included. */
export function double(acc: usize): void {
  const delta: usize = slot(6);
  const gamma: usize = slot(7);
  const alpha: usize = slot(8);
  const s: usize = slot(9);
  const t: usize = slot(10);
  sqr(delta, acc + Z);
  sqr(gamma, acc + Y);
  subLoose(t, acc + X, delta);
  addLoose(delta, acc + X, delta);
  mul(alpha, t, delta);
  multiple(alpha, alpha, 3);
  multiple(gamma, gamma, 2);
  doubleLoose(t, gamma);
  mul(s, acc + X, t);
  doubleLoose(t, acc + Y);
  mul(acc + Z, t, acc + Z);
  doubleLoose(t, s);
  sqrLess(acc + X, alpha, t);
  subLoose(s, s, acc + X);
  sqr(t, gamma);
  doubleLoose(t, t);
  mulLess(acc + Y, alpha, s, t);
}

/** acc += entry: add-2007-bl without its trades, 11 products and 3 squares. The same cases are wrong as of addAffine. */
export function addEntry(acc: usize, entry: usize): void {
  const zz: usize = slot(6);
  const u1: usize = slot(7);
  const h: usize = slot(8);
  const s1: usize = slot(9);
  const r: usize = slot(10);
  const hh: usize = slot(11);
  const hhh: usize = slot(12);
  sqr(zz, acc + Z);
  mul(u1, acc + X, entry + ZZ);
  mul(h, entry + X, zz);
  subLoose(h, h, u1);
  mul(s1, acc + Y, entry + ZZZ);
  mul(zz, zz, acc + Z);
  mul(r, entry + Y, zz);
  subLoose(r, r, s1);
  sqr(hh, h);
  mul(hhh, h, hh);
  mul(u1, u1, hh);
  addTwice(hh, hhh, u1);
  sqrLess(acc + X, r, hh);
  subLoose(u1, u1, acc + X);
  mul(s1, s1, hhh);
  mulLess(acc + Y, r, u1, s1);
  mul(acc + Z, acc + Z, entry + Z);
  mul(acc + Z, acc + Z, h);
}

/** Z^2 and Z^3 of an entry. */
export function completeEntry(entry: usize): void {
  sqr(entry + ZZ, entry + Z);
  mul(entry + ZZZ, entry + ZZ, entry + Z);
}

/** XYZZ to homogeneous, in place. */
export function homogeneousFromXyzz(point: usize): void {
  mul(point + X, point + X, point + THIRD);
  mul(point + Y, point + Y, point + SECOND);
  mul(point + Z, point + SECOND, point + THIRD);
}

/** Jacobian to homogeneous, in place. */
export function homogeneousFromJacobian(point: usize): void {
  const zz: usize = slot(6);
  mul(point + X, point + X, point + Z);
  sqr(zz, point + Z);
  mul(point + Z, zz, point + Z);
}

/** Entry to homogeneous, in place. */
export function homogeneousFromEntry(entry: usize): void {
  mul(entry + X, entry + X, entry + Z);
  copy(entry + Z, entry + ZZZ);
}

/**
 * r += q, homogeneous, right for every two points: algorithm 4 of Renes, Costello and Batina, "Complete addition formulas
 * for prime order elliptic curves" (EUROCRYPT 2016). r is not q.
 */
export function addComplete(r: usize, q: usize): void {
  const t0: usize = slot(6);
  const t1: usize = slot(7);
  const t2: usize = slot(8);
  const t3: usize = slot(9);
  const t4: usize = slot(10);
  const x: usize = slot(11);
  const y: usize = slot(12);
  const z: usize = slot(13);
  mul(t0, r + X, q + X);
  mul(t1, r + Y, q + Y);
  mul(t2, r + Z, q + Z);
  add(t3, r + X, r + Y);
  add(t4, q + X, q + Y);
  mul(t3, t3, t4);
  add(t4, t0, t1);
  sub(t3, t3, t4);
  add(t4, r + Y, r + Z);
  add(x, q + Y, q + Z);
  mul(t4, t4, x);
  add(x, t1, t2);
  sub(t4, t4, x);
  add(x, r + X, r + Z);
  add(y, q + X, q + Z);
  mul(x, x, y);
  add(y, t0, t2);
  sub(y, x, y);
  mul(z, CURVE_B, t2);
  sub(x, y, z);
  multiple(x, x, 3);
  sub(z, t1, x);
  add(x, t1, x);
  mul(y, CURVE_B, y);
  multiple(t2, t2, 3);
  sub(y, y, t2);
  sub(y, y, t0);
  multiple(y, y, 3);
  multiple(t0, t0, 3);
  sub(t0, t0, t2);
  mul(t1, t4, y);
  mul(t2, t0, y);
  mul(y, x, z);
  add(r + Y, y, t2);
  mul(x, t3, x);
  sub(r + X, x, t1);
  mul(z, t4, z);
  mul(t1, t3, t0);
  add(r + Z, z, t1);
}
