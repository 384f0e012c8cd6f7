/** The memory of the kernel: fixed places, so that every secret's place is known and can be wiped. */

/** A limb has 29 bits. */
export const MASK: i64 = 0x1fffffff;
/** Octets of nine limbs. */
export const ELEMENT: usize = 72;

/** Intermediate values: 48 elements, then a table of multiples, then the SM3 state. */
export const SCRATCH: usize = 0x10000;
export const WINDOW: usize = SCRATCH + 48 * ELEMENT;
/** Octets of an entry of the table of multiples: five elements of nine 32-bit limbs, filled up to 12 vectors. */
export const WINDOW_ENTRY: usize = 192;
export const SM3_STATE: usize = WINDOW + 16 * WINDOW_ENTRY;
export const SM3_WORDS: usize = SM3_STATE + 32;
export const SM3_BLOCK: usize = SM3_WORDS + 68 * 4;
const SCRATCH_END: usize = SM3_BLOCK + 128;

/** What the host writes: items of a batch, or a message of up to MESSAGE_LIMIT octets behind a head. */
export const INPUT: usize = 0x20000;
export const MESSAGE: usize = INPUT + 0x400;
export const MESSAGE_LIMIT: usize = 0x10000;
/** What the host reads and wipes. */
export const OUTPUT: usize = 0x31000;
/** Points of a batch that wait for their shared inversion: x, y, z and the product of the z before. */
export const BATCH: usize = 0x34000;
export const BATCH_POINT: usize = 4 * ELEMENT;
/** Points that one inversion serves. */
export const BATCH_LIMIT: i32 = 128;
/** The multiples of the base point: public. */
export const BASE_TABLE: usize = 0x40000;

/** The element with a number in the intermediate values. */
export function slot(number: usize): usize {
  return SCRATCH + number * ELEMENT;
}

/** Overwrites the intermediate values, `points` of the batch, and `octets` of the input. */
export function wipe(points: i32, octets: usize): void {
  memory.fill(SCRATCH, 0, SCRATCH_END - SCRATCH);
  memory.fill(BATCH, 0, <usize>points * BATCH_POINT);
  memory.fill(INPUT, 0, octets);
}
