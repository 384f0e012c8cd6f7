/** The program that holds ceremonies, as built: reproducible (C14), measured (C13), quiet on disk and network (C4, C15). */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { Workshop } from '../flows/ceremonies/workshop.ts';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = ['src', 'scripts', 'policies', 'package.json', 'package-lock.json', 'tsconfig.json'];
/** What a build writes beside the packages, so that nothing of an earlier one is taken over. */
const OWN_BUILD = /^\.kmc-(?!stamp$)/;

/** The sources in a folder of their own, with the installed packages and nothing that was built. */
function sourceTree(folder: string): string {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  for (const name of SOURCES) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!OWN_BUILD.test(name)) symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  return folder;
}

function builtFiles(folder: string): Record<string, string> {
  const dist = join(folder, 'dist');
  const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !path.endsWith('.kmc-stamp'));
  return Object.fromEntries(
    paths.map((path) => [relative(dist, path), createHash('sm3').update(readFileSync(path)).digest('hex')]),
  );
}

describe('the program that holds ceremonies', function programTests() {
  this.timeout(180_000);
  const scratch = mkdtempSync(join(tmpdir(), 'kmc-program-'));
  const trees = [join(scratch, 'one'), join(scratch, 'a', 'second', 'place')] as const;
  const [program] = trees;
  const file = join(scratch, 'kmc-init.yaml');
  let workshop: Workshop;

  before(async () => {
    workshop = await Workshop.open();
    writeFileSync(file, workshop.fill('kmc-init'));
    for (const tree of trees) {
      const built = spawnSync(process.execPath, ['scripts/run.mjs', 'build'], {
        cwd: sourceTree(tree),
        encoding: 'utf8',
      });
      expect(built.status, built.stderr).to.equal(0);
    }
  });
  after(async () => {
    await workshop.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const kmc = (args: readonly string[], around: readonly string[] = []) => {
    const words = [...around, process.execPath, join(program, 'dist/main.js'), ...args, '--json'];
    const [command, ...rest] = [...words, '--home', join(workshop.root, 'home')];
    return spawnSync(command, rest, { cwd: scratch, encoding: 'utf8', maxBuffer: 1 << 26 });
  };
  const plan = (...more: string[]) => ['ceremony', 'plan', file, '--inputs', join(workshop.root, 'inputs'), ...more];
  const hasStrace = spawnSync('strace', ['-V']).status === 0;

  it('two builds in two folders are the same, octet by octet, the kernel included', () => {
    const [one, other] = trees.map(builtFiles);
    expect(Object.keys(one ?? {}))
      .to.include('crypto/kernel/sm2.wasm')
      .and.to.include('main.js');
    expect(one).to.deep.equal(other);
  });

  it('one octet more in the program or in its kernel is another tool than the pinned one', () => {
    const pinned = kmc(plan('--pin'));
    expect(pinned.status, pinned.stderr).to.equal(0);
    // A line end behind the program, an empty custom section behind the module: both would still run.
    const changes = { 'flows/ceremonies/run-ceremony.js': '\n', 'crypto/kernel/sm2.wasm': '\0\x01\0' };
    for (const [name, more] of Object.entries(changes)) {
      const path = join(program, 'dist', name);
      const before = readFileSync(path);
      writeFileSync(path, Buffer.concat([before, Buffer.from(more, 'latin1')]));
      const refused = kmc(plan());
      writeFileSync(path, before);
      expect(refused.status, name).to.equal(4);
      expect(refused.stderr).to.contain('bundle');
    }
    expect(kmc(plan()).status).to.equal(0);
  });

  it('a plan opens no file for writing, and neither plan nor rehearsal connects to anything', function traced() {
    if (!hasStrace) this.skip();
    const log = join(scratch, 'trace');
    const strace = ['strace', '-f', '-qq', '-o', log, '-e', 'trace=openat,open,creat,connect,rename,unlink,mkdir'];
    expect(kmc(plan(), strace).status).to.equal(0);
    const calls = readFileSync(log, 'utf8').split('\n');
    expect(calls.filter((call) => call.includes('openat(')).length).to.be.greaterThan(100);
    const writes = calls.filter((call) => /O_WRONLY|O_RDWR|O_CREAT|creat\(|rename\(|unlink\(|mkdir\(/.test(call));
    expect(writes.filter((call) => !/"\/(?:dev|proc)\//.test(call))).to.deep.equal([]);
    const rehearsal = ['ceremony', 'rehearse', file, '--inputs', join(workshop.root, 'inputs')];
    expect(kmc(rehearsal, strace).status).to.equal(0);
    const connects = readFileSync(log, 'utf8').match(/connect\(.*sa_family=AF_INET.*/g) ?? [];
    expect(connects).to.deep.equal([]);
  });
});
