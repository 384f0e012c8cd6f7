/**
 * The SM2 kernel as functions over Buffers: the one place that touches its memory. Scalars, digests and coordinates are
 * 32 octets, points 04 || x || y. What goes in is wiped by the kernel, what comes out is wiped here once it is copied.
 */
import { readFileSync } from 'node:fs';
import { KmcError } from '../../errors.ts';
import { secretBuffer } from '../bytes.ts';

/** What the kernel exports; assembly/index.ts says what each does. */
export interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  buildTable(): void;
  tableStart(): number;
  tableLength(): number;
  isPoint(): number;
  baseMultiples(count: number): void;
  pointMultiples(count: number): number;
  encryptionPoints(count: number): number;
  signingInverses(count: number): void;
  signatures(count: number): void;
  verifies(): number;
  exchangePoint(): number;
  encryptMessage(length: number): number;
  decryptMessage(length: number): number;
  digest(length: number): void;
  digestBegin(): void;
  digestAppend(length: number): void;
  digestEnd(): void;
}

interface LoadedKernel {
  readonly exports: KernelExports;
  readonly memory: Buffer;
}

/** Built beside the rest of the program, and found there from the sources too. */
const FILE = new URL('../../../dist/crypto/kernel/sm2.wasm', import.meta.url);
const TABLE_SECTION = 'base-table';

// Places in the memory: assembly/layout.ts.
const INPUT = 0x20000;
const MESSAGE = INPUT + 0x400;
const OUTPUT = 0x31000;
const DIGEST = OUTPUT + 128;

const FIELD = 32;
const POINT = 64;
const ITEM = 96;
/** Items that one inversion serves: what INPUT and OUTPUT hold, and half of it where an item has two points. */
const BATCH = 128;
const UNCOMPRESSED = 4;
/** Octets that go through INPUT at a time when a long message is hashed. */
const PORTION = 0x8000;

let loaded: LoadedKernel | undefined;

/** A kernel of its own. Only {@link kernel} and the tests of the kernel itself need one. Throws `E_CONFIG` without a build. */
export function instantiateKernel(): LoadedKernel {
  let file: Buffer;
  try {
    file = readFileSync(FILE);
  } catch (cause) {
    throw new KmcError('E_CONFIG', 'The SM2 kernel is not built; run "npm run build".', { cause });
  }
  const module = new WebAssembly.Module(file);
  const exports = new WebAssembly.Instance(module).exports as unknown as KernelExports;
  const memory = Buffer.from(exports.memory.buffer);
  const [table] = WebAssembly.Module.customSections(module, TABLE_SECTION);
  if (table?.byteLength !== exports.tableLength()) {
    throw new KmcError('E_CONFIG', 'The SM2 kernel is built without its table; remove dist and run "npm run build".');
  }
  memory.set(new Uint8Array(table), exports.tableStart());
  return { exports, memory };
}

/** The kernel of this thread, started at the first use. */
function kernel(): LoadedKernel {
  return (loaded ??= instantiateKernel());
}

/** A copy of `length` octets at `from`, which are wiped. */
function take(memory: Buffer, from: number, length: number): Buffer {
  const taken = secretBuffer(length);
  memory.copy(taken, 0, from, from + length);
  memory.fill(0, from, from + length);
  return taken;
}

/** 04 || x || y of the 64 octets at `from`, which are wiped. */
function takePoint(memory: Buffer, from: number): Buffer {
  const point = secretBuffer(POINT + 1);
  point[0] = UNCOMPRESSED;
  memory.copy(point, 1, from, from + POINT);
  memory.fill(0, from, from + POINT);
  return point;
}

/** Runs `operation` over the items in portions that the memory holds. */
function portions<Item>(items: readonly Item[], size: number, operation: (part: readonly Item[]) => void): void {
  for (let at = 0; at < items.length; at += size) operation(items.slice(at, at + size));
}

/** True when the 64 octets x || y after the first one of `point` are on the curve. */
export function kernelIsPoint(point: Buffer): boolean {
  const { exports, memory } = kernel();
  point.copy(memory, INPUT, 1, 1 + POINT);
  return exports.isPoint() !== 0;
}

/** kG for each k in [1, n-1]. */
export function kernelBaseMultiples(scalars: readonly Buffer[]): Buffer[] {
  const { exports, memory } = kernel();
  const points: Buffer[] = [];
  portions(scalars, BATCH, (part) => {
    part.forEach((scalar, at) => scalar.copy(memory, INPUT + at * FIELD));
    exports.baseMultiples(part.length);
    part.forEach((_, at) => points.push(takePoint(memory, OUTPUT + at * POINT)));
  });
  return points;
}

/** (1 + d)^-1 modulo n for each d in [1, n-2]: what a signature is made with. The caller wipes them. */
export function kernelSigningInverses(scalars: readonly Buffer[]): Buffer[] {
  const { exports, memory } = kernel();
  const inverses: Buffer[] = [];
  portions(scalars, BATCH, (part) => {
    part.forEach((scalar, at) => scalar.copy(memory, INPUT + at * FIELD));
    exports.signingInverses(part.length);
    part.forEach((_, at) => inverses.push(take(memory, OUTPUT + at * FIELD, FIELD)));
  });
  return inverses;
}

export interface SignatureItem {
  /** SM3(Z || message). */
  readonly digest: Buffer;
  /** k in [1, n-1], never used before. */
  readonly nonce: Buffer;
  /** Of {@link kernelSigningInverses}. */
  readonly inverse: Buffer;
}

/** r || s (64 octets) of each item; all zero where the standard asks for another k. */
export function kernelSignatures(items: readonly SignatureItem[]): Buffer[] {
  const { exports, memory } = kernel();
  const signatures: Buffer[] = [];
  portions(items, BATCH, (part) => {
    part.forEach(({ digest, nonce, inverse }, at) => {
      digest.copy(memory, INPUT + at * ITEM);
      nonce.copy(memory, INPUT + at * ITEM + FIELD);
      inverse.copy(memory, INPUT + at * ITEM + 2 * FIELD);
    });
    exports.signatures(part.length);
    part.forEach((_, at) => signatures.push(take(memory, OUTPUT + at * POINT, POINT)));
  });
  return signatures;
}

/** Verifies r || s (64 octets) over SM3(Z || message) under a point. False for everything that is out of range. */
export function kernelVerifies(digest: Buffer, signature: Buffer, point: Buffer): boolean {
  const { exports, memory } = kernel();
  digest.copy(memory, INPUT);
  signature.copy(memory, INPUT + FIELD);
  point.copy(memory, INPUT + ITEM, 1, 1 + POINT);
  return exports.verifies() !== 0;
}

function writeItem(memory: Buffer, at: number, scalar: Buffer, point: Buffer): void {
  scalar.copy(memory, INPUT + at * ITEM);
  point.copy(memory, INPUT + at * ITEM + FIELD, 1, 1 + POINT);
}

export interface EncryptionItem {
  /** The recipient's point. */
  readonly point: Buffer;
  /** 1 to 65536 octets. */
  readonly message: Buffer;
  /** k in [1, n-1], never used before. */
  readonly nonce: Buffer;
}

export interface KernelCiphertext {
  readonly c1: Buffer;
  readonly c2: Buffer;
  readonly c3: Buffer;
}

/** SM2 encryption of each item; undefined where the key stream is all zero. All undefined when a point is off the curve. */
export function kernelEncrypt(items: readonly EncryptionItem[]): (KernelCiphertext | undefined)[] {
  const { exports, memory } = kernel();
  const ciphertexts: (KernelCiphertext | undefined)[] = [];
  portions(items, BATCH / 2, (part) => {
    part.forEach(({ nonce, point }, at) => writeItem(memory, at, nonce, point));
    const sound = exports.encryptionPoints(part.length) !== 0;
    const points = part.map((_, at) => take(memory, OUTPUT + at * 2 * POINT, 2 * POINT));
    part.forEach(({ message }, at) => {
      const pair = points[at];
      if (sound && pair !== undefined) ciphertexts.push(encryptUnder(kernel(), pair, message));
      else ciphertexts.push(undefined);
    });
  });
  return ciphertexts;
}

/** `pair` is x1 || y1 || x2 || y2, and is wiped. */
function encryptUnder({ exports, memory }: LoadedKernel, pair: Buffer, message: Buffer): KernelCiphertext | undefined {
  pair.copy(memory, OUTPUT);
  pair.fill(0);
  message.copy(memory, MESSAGE);
  const usable = exports.encryptMessage(message.length) !== 0;
  const c1 = takePoint(memory, OUTPUT);
  const c2 = take(memory, MESSAGE, message.length);
  memory.fill(0, OUTPUT + POINT, DIGEST);
  const c3 = take(memory, DIGEST, FIELD);
  return usable ? { c1, c2, c3 } : undefined;
}

/** The message of an SM2 ciphertext under d; undefined when there is none, in the same time wherever the fault is. */
export function kernelDecrypt(scalar: Buffer, { c1, c2, c3 }: KernelCiphertext): Buffer | undefined {
  const { exports, memory } = kernel();
  writeItem(memory, 0, scalar, c1);
  const sound = exports.pointMultiples(1) !== 0;
  c3.copy(memory, INPUT);
  c2.copy(memory, MESSAGE);
  const opened = exports.decryptMessage(c2.length) !== 0;
  const message = take(memory, MESSAGE, c2.length);
  memory.fill(0, OUTPUT, DIGEST + FIELD);
  if (sound && opened) return message;
  message.fill(0);
  return undefined;
}

export interface ExchangeItem {
  readonly scalar: Buffer;
  readonly ephemeralScalar: Buffer;
  readonly ephemeralPoint: Buffer;
  readonly peerPoint: Buffer;
  readonly peerEphemeralPoint: Buffer;
}

/** x || y of the shared point U of a key exchange; undefined when there is none. The caller wipes it. */
export function kernelExchangePoint(item: ExchangeItem): Buffer | undefined {
  const { exports, memory } = kernel();
  item.scalar.copy(memory, INPUT);
  item.ephemeralScalar.copy(memory, INPUT + FIELD);
  item.ephemeralPoint.copy(memory, INPUT + 2 * FIELD, 1, 1 + FIELD);
  item.peerPoint.copy(memory, INPUT + 3 * FIELD, 1, 1 + POINT);
  item.peerEphemeralPoint.copy(memory, INPUT + 3 * FIELD + POINT, 1, 1 + POINT);
  const sound = exports.exchangePoint() !== 0;
  const shared = take(memory, OUTPUT, POINT);
  // Infinity comes out as zeros.
  return sound && shared.some((octet) => octet !== 0) ? shared : undefined;
}

/** SM3 over the parts, which have `length` octets together: at most 65536. */
export function kernelSm3(parts: readonly Uint8Array[], length: number): Buffer {
  const { exports, memory } = kernel();
  let at = INPUT;
  for (const part of parts) {
    memory.set(part, at);
    at += part.length;
  }
  exports.digest(length);
  return take(memory, OUTPUT, FIELD);
}

/** SM3 over parts of any length: for checks that must not stand on OpenSSL. */
export function kernelSm3OfAny(...parts: readonly Uint8Array[]): Buffer {
  const { exports, memory } = kernel();
  exports.digestBegin();
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PORTION) {
      const portion = part.subarray(at, at + PORTION);
      memory.set(portion, INPUT);
      exports.digestAppend(portion.length);
    }
  }
  exports.digestEnd();
  return take(memory, OUTPUT, FIELD);
}
