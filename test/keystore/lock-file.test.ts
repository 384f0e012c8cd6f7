import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { takeLock } from '../../src/keystore/lock-file.ts';
import { refusal } from '../crypto/refusal.ts';
import { scratchDirectory } from './scratch.ts';

const LOCK = join(import.meta.dirname, '../../src/keystore/lock-file.ts');

/** A process that tries to take the lock at a moment told, and prints `held` or the code; it holds it until it is killed. */
function contender(root: string, at: number): ChildProcess {
  const script = `
    import { takeLock } from ${JSON.stringify(LOCK)};
    while (Date.now() < ${at}) {}
    try { takeLock(${JSON.stringify(root)}); process.stdout.write('held'); } catch (error) { process.stdout.write(error.code); }
    setTimeout(() => {}, 60_000);`;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function answer(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => child.stdout?.once('data', (data: Buffer) => resolve(data.toString())));
}

describe('keystore lock', () => {
  const scratch = scratchDirectory();
  let children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children = [];
  });
  const start = (at: number): ChildProcess => {
    const child = contender(scratch(), at);
    children.push(child);
    return child;
  };
  const claims = (): string[] => readdirSync(join(scratch(), '.lock'));

  it('is held by one part of a process, and free again when it is given back', async () => {
    const lock = takeLock(scratch());
    await refusal('E_CONFLICT', () => takeLock(scratch()));
    lock.release();
    lock.release();
    takeLock(scratch()).release();
    expect(claims()).to.deep.equal([]);
  });

  it('is refused while another process holds it, and taken from one that was killed', async () => {
    const child = start(0);
    expect(await answer(child)).to.equal('held');
    await refusal('E_CONFLICT', () => takeLock(scratch()));
    expect(claims()).to.have.length(1);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    takeLock(scratch()).release();
    expect(claims()).to.deep.equal([]);
  });

  it('is never held by two of several processes that try at once', async () => {
    const at = Date.now() + 1500;
    const answers = await Promise.all([start(at), start(at), start(at)].map(answer));
    expect(answers.filter((each) => each === 'held').length).to.be.lessThan(2);
    expect(answers.filter((each) => each !== 'held' && each !== 'E_CONFLICT')).to.deep.equal([]);
  });

  it('is not held by a process id of another boot or of an earlier process', () => {
    mkdirSync(join(scratch(), '.lock'), { mode: 0o700 });
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const stale = [`${process.pid}-1-${boot}.claim`, `1-1-00000000-0000-0000-0000-000000000000.claim`, 'noise'];
    for (const name of stale) writeFileSync(join(scratch(), '.lock', name), '', { mode: 0o600 });
    takeLock(scratch()).release();
    expect(claims()).to.deep.equal([]);
  });
});
