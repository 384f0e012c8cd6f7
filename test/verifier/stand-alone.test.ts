import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { expect } from 'chai';
import { EventWriter, signNote, writeExport } from '../cli/audit-export.ts';
import { logKey } from '../flows/audit/test-log.ts';

const SRC = resolve(import.meta.dirname, '../../src');
const PROGRAM = join(SRC, 'main/audit-verifier.ts');

/** Everything that a file imports, by itself or through others; packages by their names. */
function closureOf(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)) {
    if (specifier.startsWith('.')) closureOf(resolve(dirname(file), specifier), seen);
    else seen.add(specifier);
  }
  return seen;
}

describe('the stand-alone verifier', function suite() {
  this.timeout(60_000);
  const root = mkdtempSync(join(tmpdir(), 'kmc-stand-alone-'));
  after(() => rmSync(root, { recursive: true, force: true }));

  function run(...args: string[]): { code: number | null; out: string; err: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', PROGRAM, ...args], {
      encoding: 'utf8',
    });
    return { code: status, out: stdout, err: stderr };
  }

  it('stands on its own folder, one hash function and the noble libraries: no database, no network', () => {
    const all = [...closureOf(PROGRAM)];
    const packages = all.filter((name) => !name.startsWith('/'));
    expect(packages.sort()).to.deep.equal([
      '@noble/curves/abstract/weierstrass.js',
      '@noble/hashes/_md.js',
      'node:fs',
      'node:path',
      'node:util',
    ]);
    const outside = all.filter((name) => name.startsWith('/')).map((name) => relative(SRC, name));
    expect(outside.filter((name) => !name.startsWith('verifier/')).sort()).to.deep.equal([
      'cli/audit-copy.ts',
      'crypto/gm/sm3-portable.ts',
      'main/audit-verifier.ts',
    ]);
  });

  it('shows its usage when asked, and when it is called without a file', () => {
    const asked = run('--help');
    expect([asked.code, asked.err]).to.deep.equal([0, '']);
    expect(asked.out).to.match(/^usage: kmc-audit-verify COPY\|HISTORY/);
    expect(run()).to.deep.equal({
      code: 1,
      out: '',
      err: `name one copy of the log, or one history file\n${asked.out}`,
    });
  });

  it('can be read in one sitting, and runs in a browser: nothing of Node in its folder', () => {
    const folder = join(SRC, 'verifier');
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const lines = files.reduce((sum, text) => sum + text.split('\n').length, 0);
    expect(lines).to.be.lessThan(1_800);
    for (const text of [...files, readFileSync(join(SRC, 'crypto/gm/sm3-portable.ts'), 'utf8')]) {
      expect(text).not.to.match(/\bBuffer\b|\bprocess\.|from 'node:/);
    }
  });

  it('says what it verified, exits with the code, and keeps the state for the next run', async () => {
    const key = await logKey();
    const writer = new EventWriter();
    for (let event = 0; event < 20; event += 1) writer.add();
    const directory = join(root, 'copy');
    const checkpoint = await signNote(writer.canons, 20, writer.timeOf(20), key.key);
    writeExport(directory, { canons: writer.canons, checkpoint, logKey: key });
    const state = join(root, 'state.json');
    const good = run(directory, '--state', state);
    expect(good.code, good.out + good.err).to.equal(0);
    expect(good.out).to.include('verified    events [0, 20) of 20; unverified: 0');
    expect(JSON.parse(readFileSync(state, 'utf8'))).to.have.property('size', '20');
    const events = join(directory, 'events.jsonl');
    writeFileSync(events, readFileSync(events, 'utf8').replace('success', 'failure'));
    const bad = run(directory, '--state', state, '--json');
    expect([bad.code, (JSON.parse(bad.out) as { exitCode: number }).exitCode]).to.deep.equal([10, 10]);
    expect(run(directory, '--colour').code).to.equal(1);
  });
});
