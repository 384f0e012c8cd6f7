/** `kmc start` as a process of its own, over one development instance that the first test makes. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';

const ROOT = join(import.meta.dirname, '../..');
const SETTINGS = /^KMC_/;
/** Milliseconds in which a started service has signed what its start wrote. */
const SIGNING_TIME = 4000;

class Started {
  out = '';
  err = '';
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(home: string, ...more: readonly string[]) {
    const inherited = Object.entries(process.env).filter(([name]) => !SETTINGS.test(name));
    const env = { ...Object.fromEntries(inherited), KMC_LISTEN: '127.0.0.1:0', KMC_TLS_LISTEN: '127.0.0.1:0' };
    const args = ['--import', 'tsx', join(ROOT, 'src/main.ts'), 'start', '--home', home, ...more];
    const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.#child = child;
    this.ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** Waits for a text on standard output. */
  async says(text: string): Promise<void> {
    const seen = async () => {
      while (!this.out.includes(text)) await new Promise((resolve) => setTimeout(resolve, 20));
      return true;
    };
    if ((await Promise.race([seen(), this.ended])) !== true) throw new Error(`it ended: ${this.err}`);
  }

  /** Number of events under the newest signed checkpoint. */
  async checkpointSize(): Promise<number> {
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(this.out)?.[0] ?? '';
    const answer = await fetch(`${address}/api/v1/audit/checkpoint`);
    return Number((await answer.text()).split('\n')[1]);
  }

  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return await this.ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

describe('kmc start', function starts() {
  this.timeout(60_000);
  let root: string;
  let home: string;
  const running: Started[] = [];
  const start = (folder: string, ...more: readonly string[]) => {
    const started = new Started(folder, ...more);
    running.push(started);
    return started;
  };
  /** A copy of the first test's home, without some of it. */
  const copyWithout = (name: string, ...left: readonly string[]): string => {
    const copy = join(root, name);
    cpSync(home, copy, { recursive: true });
    for (const one of left) rmSync(join(copy, one), { recursive: true });
    return copy;
  };
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'kmc-start-'));
    home = join(root, 'home');
  });
  after(() => {
    for (const one of running) one.kill();
    rmSync(root, { recursive: true, force: true });
  });

  it('makes a whole development instance, tells how far it is, and where it listens', async () => {
    const first = start(home);
    await first.says('people and their keys: ');
    expect(first.out).to.match(/^listening on http:\/\/127\.0\.0\.1:\d+\nlistening on https:\/\/127\.0\.0\.1:\d+\n/);
    expect(first.err).to.contain('"step":"people and their keys"').and.to.contain('"step":"ceremony ca-issuing, ');
    expect(first.err).to.contain('every key of every person');
    const second = start(home);
    expect(await second.ended).to.equal(7);
    expect(second.err).to.contain('runs already');
    expect(await first.stop()).to.equal(0);
    expect(readdirSync(root)).to.deep.equal(['home']);
    const named = filesBelow(home).filter((name) => readFileSync(join(home, name)).includes('.making-'));
    expect(named, 'files with the path of the making').to.deep.equal([]);
  });

  it('serves a home made by hand as it stands, and stages nothing', async () => {
    const byHand = copyWithout('by-hand', 'kmc.yaml', 'DEVELOPMENT-ONLY');
    const before = filesBelow(join(byHand, 'service'));
    const service = start(byHand);
    await service.says('listening on http://');
    expect(service.err).to.contain('DEVELOPMENT INSTANCE').and.to.not.contain('every key of every person');
    expect(await service.stop()).to.equal(0);
    expect(service.out).to.not.contain('https');
    expect(existsSync(join(byHand, 'kmc.yaml')) || existsSync(join(byHand, 'DEVELOPMENT-ONLY'))).to.equal(false);
    expect(filesBelow(join(byHand, 'service'))).to.deep.equal(before);
  });

  it('leaves the checkpoints to another process of its database when it is told to', async () => {
    const copy = copyWithout('unsigned');
    const settings = readFileSync(join(copy, 'kmc.yaml'));
    appendFileSync(join(copy, 'kmc.yaml'), 'audit-signer: no\n');
    const silent = start(copy);
    await silent.says('people and their keys: ');
    const before = await silent.checkpointSize();
    await sleep(SIGNING_TIME);
    expect(await silent.checkpointSize()).to.equal(before);
    expect(await silent.stop()).to.equal(0);

    writeFileSync(join(copy, 'kmc.yaml'), settings);
    const signing = start(copy);
    await signing.says('people and their keys: ');
    await sleep(SIGNING_TIME);
    expect(await signing.checkpointSize()).to.be.greaterThan(before);
    expect(await signing.stop()).to.equal(0);
  });

  it('ends when the stage does not unseal', async () => {
    const people = readdirSync(join(home, 'DEVELOPMENT-ONLY/people'));
    const holders = people.filter((name) => name.startsWith('custodian'));
    const shares = holders.slice(1).map((name) => `DEVELOPMENT-ONLY/people/${name}/service.share.json`);
    const service = start(copyWithout('few', ...shares), '--json');
    expect(await service.ended).to.equal(2);
    expect(JSON.parse(service.out)).to.include({ ok: false, code: 'E_SEALED' });
  });
});
