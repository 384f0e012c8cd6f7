/** A build of the kernel for tests alone: single functions of its arithmetic, and a multiplication that leaks its scalar. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
const ASSEMBLY = join(ROOT, 'src/crypto/kernel/assembly');

const SOURCE = `
import { mul, mulLess, sqr, sqrLess } from "@/field-products";
import { invert, toNumber } from "@/field";
import { mulOrder } from "@/order-product";
import { invertOrder, readReduced } from "@/order";
import { BATCH, INPUT, slot } from "@/layout";
import { copy } from "@/limbs";
import { readElement } from "@/field";
import { multiplyPointPublic } from "@/multiply";
export { mul, mulLess, sqr, sqrLess, invert, toNumber, mulOrder, invertOrder };
/** k (x, y) for a secret k || x || y by digits that are looked up and skipped: what must not be. */
export function leakyMultiple(): void {
  readReduced(slot(39), INPUT);
  readElement(slot(40), INPUT + 32);
  readElement(slot(41), INPUT + 64);
  multiplyPointPublic(BATCH, slot(40), slot(39));
}
`;

export interface Probe {
  readonly memory: { readonly buffer: ArrayBuffer };
  mul(r: number, a: number, b: number): void;
  mulLess(r: number, a: number, b: number, c: number): void;
  sqr(r: number, a: number): void;
  sqrLess(r: number, a: number, c: number): void;
  invert(r: number, a: number): void;
  toNumber(r: number, a: number): void;
  mulOrder(r: number, a: number, b: number): void;
  invertOrder(r: number, a: number): void;
  leakyMultiple(): void;
}

/** Compiles the probe: some seconds. */
export function buildProbe(): Probe {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-kernel-probe-'));
  try {
    const source = join(folder, 'probe.ts');
    const target = join(folder, 'probe.wasm');
    writeFileSync(source, SOURCE.replaceAll('@', relative(folder, ASSEMBLY)));
    const compiler = join(ROOT, 'node_modules/assemblyscript/bin/asc.js');
    const options = ['--runtime', 'stub', '--noAssert', '-O3', '--enable', 'simd', '--initialMemory', '6'];
    const args = [compiler, relative(ROOT, source), '--outFile', target, ...options];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the probe does not compile: ${stderr}`);
    const module = new WebAssembly.Module(readFileSync(target));
    return new WebAssembly.Instance(module).exports as unknown as Probe;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
