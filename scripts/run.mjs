/**
 * Starts a task of this repository on a fresh clone: installs the locked packages and builds when that is missing or
 * old, then runs the task. Plain JavaScript, because it runs before anything is installed.
 * Usage: node scripts/run.mjs <task> [arguments]
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each task starts: a child (`command`), or the built program in this process (`main`: arguments put first). */
const TASKS = {
  test: {
    build: true,
    command: ['node_modules/mocha/bin/mocha.js', '--reporter', 'scripts/test-reporter.cjs'],
    defaults: ['test/**/*.test.ts'],
  },
  demo: { build: true, command: ['--import', 'tsx', 'scripts/demo.ts'] },
  bench: { build: true, command: ['--import', 'tsx', 'scripts/bench.ts'] },
  start: { build: true, main: ['start'] },
  kmc: { build: true, main: [] },
  build: { build: true },
};

function run(program, args, quiet) {
  const result = spawnSync(program, args, { cwd: root, stdio: quiet ? ['inherit', 2, 2] : 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 70);
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

function isCurrent(stamp, digest) {
  const file = join(root, stamp);
  return existsSync(file) && readFileSync(file, 'utf8') === digest;
}

function stamp(file, digest) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), digest);
}

function ensurePackages() {
  const digest = digestOf(['package-lock.json']);
  if (existsSync(join(root, 'node_modules/.package-lock.json')) && isCurrent('node_modules/.kmc-stamp', digest)) return;
  process.stderr.write('installing the locked packages (the first time takes a few minutes: sqlite3 is compiled)\n');
  run('npm', ['ci', '--no-audit', '--no-fund'], true);
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
    .update(readFileSync(join(root, 'scripts/tsconfig.build.json')));
  return hash.digest('hex');
}

function ensureBuild() {
  const state = sourceState();
  if (isCurrent('dist/.kmc-stamp', state)) return;
  process.stderr.write('building\n');
  run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'scripts/tsconfig.build.json'], true);
  stamp('dist/.kmc-stamp', state);
}

const [name, ...args] = process.argv.slice(2);
const task = Object.hasOwn(TASKS, name ?? '') ? TASKS[name] : undefined;
if (task === undefined) {
  process.stderr.write(`usage: node scripts/run.mjs ${Object.keys(TASKS).join('|')} [arguments]\n`);
  process.exit(1);
}
ensurePackages();
if (task.build) ensureBuild();
if (task.main !== undefined) {
  process.setSourceMapsEnabled(true);
  const main = join(root, 'dist/main.js');
  process.argv = [process.execPath, main, ...task.main, ...args];
  await import(main);
} else if (task.command !== undefined) {
  const child = spawn(process.execPath, [...task.command, ...(args.length > 0 ? args : (task.defaults ?? []))], {
    stdio: 'inherit',
    cwd: root,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 70));
}
