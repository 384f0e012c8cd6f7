/**
 * The test suite by mocha, where there are several cores in one process more than cores (up to four): a test waits for disks,
 * databases and other processes half of its time. Each takes every n-th file. The first one's output is shown as it comes,
 * the others' behind it; the closing line counts all. With arguments: mocha with these, alone.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

const MOCHA = ['node_modules/mocha/bin/mocha.js', '--reporter', 'scripts/test-reporter.cjs'];
const MOST = 4;
const args = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'kmc-tests-'));
const children = [];

/** Resolves with the exit code. */
function runMocha(given, tally, stdout) {
  const child = spawn(process.execPath, [...MOCHA, ...given], {
    stdio: ['inherit', stdout, 'inherit'],
    env: { ...process.env, KMC_TEST_TALLY: tally },
  });
  children.push(child);
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 70)));
}

/** Resolves with the exit code of all. */
async function runShards(shards) {
  const outputs = shards.map((_, at) => join(folder, `output-${at}`));
  const codes = await Promise.all(
    shards.map((files, at) => runMocha(files, join(folder, `tally-${at}`), at === 0 ? 'inherit' : openSync(outputs[at], 'w'))),
  );
  for (const output of outputs.slice(1)) process.stdout.write(readFileSync(output));
  return Math.max(...codes);
}

/** The sums of what each process counted; a process that ended without counting is a failure. */
function tallies(count) {
  const sum = { passes: 0, failures: 0, pending: 0 };
  for (let at = 0; at < count; at += 1) {
    const one = JSON.parse(readFileSync(join(folder, `tally-${at}`), 'utf8'));
    for (const name of Object.keys(sum)) sum[name] += one[name] ?? 0;
  }
  return sum;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => children.forEach((child) => child.kill(signal)));
}
const files = readdirSync('test', { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('test', name))
  .sort();
const cores = availableParallelism();
const count = args.length === 0 && cores > 1 ? Math.min(cores + 1, MOST) : 1;
const shards =
  args.length > 0 ? [args] : Array.from({ length: count }, (_, shard) => files.filter((_file, at) => at % count === shard));
let code = 70;
try {
  code = await runShards(shards);
  const { passes, failures, pending } = tallies(count);
  process.stdout.write(`tests: ${passes} passed, ${failures} failed, ${pending} skipped\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code > 255 ? 255 : code);
