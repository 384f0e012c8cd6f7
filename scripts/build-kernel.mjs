/**
 * Compiles the SM2 kernel (src/crypto/kernel/assembly) to WebAssembly and puts the multiples of the base point, computed by
 * the kernel itself, into a section of their own. Plain JavaScript, because it runs before anything is built.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const KERNEL_SOURCES = 'src/crypto/kernel/assembly';
const TABLE_SECTION = 'base-table';
const PAGES = '6';

function leb128(value) {
  const octets = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...octets, rest]);
    octets.push((rest & 0x7f) | 0x80);
  }
}

function customSection(name, content) {
  const label = Buffer.from(name, 'latin1');
  const body = Buffer.concat([leb128(label.length), label, content]);
  return Buffer.concat([Buffer.from([0]), leb128(body.length), body]);
}

/** Writes the kernel to `target`. Throws an error with the exit status when the compiler fails. */
export function buildKernel(root, target) {
  const compiler = join(root, 'node_modules/assemblyscript/bin/asc.js');
  const options = ['--runtime', 'stub', '--noAssert', '--optimizeLevel', '3', '--shrinkLevel', '0', '--enable', 'simd'];
  const memory = ['--initialMemory', PAGES, '--maximumMemory', PAGES];
  const source = join(KERNEL_SOURCES, 'index.ts');
  const args = [compiler, source, '--outFile', target, ...options, ...memory];
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error) throw error;
  if (status !== 0) throw Object.assign(new Error('the kernel does not compile'), { status: status ?? 70 });
  const wasm = readFileSync(target);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  exports.buildTable();
  const table = Buffer.from(exports.memory.buffer, exports.tableStart(), exports.tableLength());
  writeFileSync(target, Buffer.concat([wasm, customSection(TABLE_SECTION, table)]));
}
