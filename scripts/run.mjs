/**
 * Starts a task of this repository on a fresh clone: installs the locked packages and builds when that is missing or
 * old, then runs the task. Plain JavaScript, because it runs before anything is installed.
 * Usage: node scripts/run.mjs <task> [arguments]
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildConsole } from './build-console.mjs';
import { buildKernel, KERNEL_SOURCES } from './build-kernel.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each task starts: a child (`command`), or the built program in this process (`main`: arguments put first). */
const TASKS = {
  test: { build: true, command: ['scripts/run-tests.mjs'] },
  demo: { build: true, command: ['--import', 'tsx', 'scripts/demo.ts'] },
  bench: { build: true, command: ['--import', 'tsx', 'scripts/bench.ts'] },
  'crash-ceremonies': {
    build: false,
    command: ['--import', 'tsx', 'test/flows/ceremonies/crash/print.ts'],
  },
  start: { build: true, main: ['start'] },
  kmc: { build: true, main: [] },
  build: { build: true },
};

/** Runs a step of the setup. Throws an error with the exit status when it fails. */
function run(program, args, quiet) {
  const result = spawnSync(program, args, { cwd: root, stdio: quiet ? ['inherit', 2, 2] : 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0) throw Object.assign(new Error(`${args[0]} failed`), { status: result.status ?? 70 });
}

function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

function isCurrent(stampFile, digest) {
  const file = join(root, stampFile);
  return existsSync(file) && readFileSync(file, 'utf8') === digest;
}

function stamp(file, digest) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), digest);
}

function packagesOf(lockFile) {
  return JSON.parse(readFileSync(join(root, lockFile), 'utf8')).packages;
}

/** True when what npm says it installed is what is locked; optional packages of other machines are left out. */
function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const installed = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).every(
    ([path, { integrity, optional }]) =>
      path === '' || (installed[path] === undefined ? optional === true : installed[path].integrity === integrity),
  );
}

function ensurePackages() {
  const digest = digestOf(['package-lock.json']);
  if (existsSync(join(root, 'node_modules/.package-lock.json')) && isCurrent('node_modules/.kmc-stamp', digest)) return;
  if (!isInstalled()) {
    process.stderr.write('installing the locked packages (the first time takes a few minutes: sqlite3 is compiled)\n');
    run('npm', ['ci', '--no-audit', '--no-fund'], true);
  }
  stamp('node_modules/.kmc-stamp', digest);
}

/** Names, sizes and times of the sources: enough to see whether a build is old, and quick for every start. */
function sourceState() {
  const hash = createHash('sha256');
  for (const entry of readdirSync(join(root, 'src'), { recursive: true }).sort()) {
    const info = statSync(join(root, 'src', entry));
    if (info.isFile()) hash.update(`${entry} ${info.size} ${info.mtimeMs}\n`);
  }
  hash
    .update(readFileSync(join(root, 'tsconfig.json')))
    .update(readFileSync(join(root, 'scripts/tsconfig.build.json')))
    .update(readFileSync(join(root, 'scripts/build-kernel.mjs')))
    .update(readFileSync(join(root, 'scripts/build-console.mjs')));
  return hash.digest('hex');
}

const KERNEL = 'node_modules/.kmc-kernel.wasm';

/** Compiles the kernel when its sources, its builder or its compiler changed; a build of the rest takes it over. */
function ensureKernel() {
  const sources = readdirSync(join(root, KERNEL_SOURCES)).sort();
  const digest = digestOf([
    ...sources.map((name) => `${KERNEL_SOURCES}/${name}`),
    'scripts/build-kernel.mjs',
    'node_modules/assemblyscript/package.json',
  ]);
  if (existsSync(join(root, KERNEL)) && isCurrent(`${KERNEL}.stamp`, digest)) return;
  const fresh = `${KERNEL}-${process.pid}`;
  buildKernel(root, join(root, fresh));
  renameSync(join(root, fresh), join(root, KERNEL));
  stamp(`${KERNEL}.stamp`, digest);
}

/** Builds beside `dist` and puts it in its place at the end: a process that starts meanwhile never sees half of it. */
async function ensureBuild() {
  const state = sourceState();
  if (isCurrent('dist/.kmc-stamp', state)) return;
  process.stderr.write('building\n');
  const fresh = `node_modules/.kmc-build-${process.pid}`;
  const compiler = 'node_modules/typescript/bin/tsc';
  try {
    run(process.execPath, [compiler, '-p', 'scripts/tsconfig.build.json', '--outDir', fresh], true);
    ensureKernel();
    copyFileSync(join(root, KERNEL), join(root, fresh, 'crypto/kernel/sm2.wasm'));
    await buildConsole(root, join(root, fresh, 'console'));
    stamp(`${fresh}/.kmc-stamp`, state);
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    renameSync(join(root, fresh), join(root, 'dist'));
  } catch (error) {
    // Another process was quicker.
    if (!isCurrent('dist/.kmc-stamp', state)) throw error;
  } finally {
    rmSync(join(root, fresh), { recursive: true, force: true });
  }
}

const [name, ...args] = process.argv.slice(2);
const task = Object.hasOwn(TASKS, name ?? '') ? TASKS[name] : undefined;
if (task === undefined) {
  process.stderr.write(`usage: node scripts/run.mjs ${Object.keys(TASKS).join('|')} [arguments]\n`);
  process.exit(1);
}
try {
  ensurePackages();
  if (task.build) await ensureBuild();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(error.status ?? 70);
}
if (task.main !== undefined) {
  process.setSourceMapsEnabled(true);
  const main = join(root, 'dist/main.js');
  process.argv = [process.execPath, main, ...task.main, ...args];
  await import(main);
} else if (task.command !== undefined) {
  const child = spawn(process.execPath, [...task.command, ...args], {
    stdio: 'inherit',
    cwd: root,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 70));
}
