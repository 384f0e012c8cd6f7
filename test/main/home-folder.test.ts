import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readEnvironment, type Environment } from '../../src/config/environment.ts';
import { KmcError } from '../../src/errors.ts';
import { makeAside } from '../../src/main/development/make-aside.ts';
import { holdsInstance, takeHome } from '../../src/main/home-folder.ts';
import { initInstance } from '../../src/main/init.ts';
import { commands as start } from '../../src/main/start.ts';
import { NOUNS, runKmc } from '../cli/run-kmc.ts';
import { forEachDatabase } from '../store/databases.ts';

const START = { ...NOUNS, start: { summary: 'start', load: () => Promise.resolve(start) } };

let root: string;
let home: string;
function scratchHome(): void {
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kmc-home-'));
    home = join(root, 'home');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
}

async function refusalOf(work: Promise<unknown>): Promise<KmcError> {
  const fault = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (fault instanceof KmcError) return fault;
  throw new Error('no KmcError was thrown', { cause: fault });
}

/** Cuts a making as soon as the first step of its first ceremony begins. */
function cut(step: string): void {
  if (step.startsWith('ceremony')) throw new KmcError('E_STORAGE', 'cut here');
}

describe('the home of an instance', () => {
  scratchHome();

  it('is empty only without settings, service keystore, database and stage', () => {
    const environment = readEnvironment({ home }, {});
    expect(holdsInstance(environment)).to.equal(false);
    for (const name of ['kmc.yaml', 'service', 'kmc.sqlite', 'DEVELOPMENT-ONLY', 'other.sqlite']) {
      mkdirSync(join(home, name), { recursive: true });
      const { database } = name === 'other.sqlite' ? { database: `sqlite:${join(home, name)}` } : environment;
      expect(holdsInstance({ ...environment, database }), name).to.equal(true);
      rmSync(home, { recursive: true });
    }
  });

  it('is not made by a command that looks at an instance', async () => {
    for (const mode of ['absent', 'empty']) {
      if (mode === 'empty') mkdirSync(home, { mode: 0o700 });
      const { code, err } = await runKmc(['check', '--home', home]);
      expect(code, mode).to.equal(5);
      expect(err).to.contain('There is no instance in this home');
    }
    expect([...readdirSync(root), ...readdirSync(home)]).to.deep.equal(['home']);
  });

  it('is refused with the remedy while others may look into it', async () => {
    mkdirSync(home);
    chmodSync(home, 0o755);
    const started = await runKmc(['start', '--home', home], START);
    writeFileSync(join(home, 'kmc.yaml'), 'instance: kmc-1\n');
    const checked = await runKmc(['check', '--home', home]);
    for (const { code, err } of [started, checked]) {
      expect(code).to.equal(2);
      expect(err).to.contain('E_CONFIG').and.to.contain('chmod 700');
    }
    expect(readdirSync(home)).to.deep.equal(['kmc.yaml']);
  });

  it('is not taken for empty when a database or other files lie in it', async () => {
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, 'kmc.sqlite'), '');
    expect((await runKmc(['start', '--home', home], START)).err).to.contain('no keystore');
    rmSync(join(home, 'kmc.sqlite'));
    writeFileSync(join(home, 'letter.txt'), '');
    expect((await runKmc(['start', '--home', home], START)).code).to.equal(7);
    expect(readdirSync(home)).to.deep.equal(['letter.txt']);
  });

  it('has one service', () => {
    mkdirSync(home, { mode: 0o700 });
    const lock = takeHome({ home });
    expect(() => takeHome({ home })).to.throw(KmcError, 'runs already');
    lock.release();
    takeHome({ home }).release();
  });

  it('is as it was after an interrupted making, and what killed ones left goes', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const [left, running, other] = [`home.making-${dead}`, `home.making-${process.ppid}`, 'home.making-notes'];
    for (const name of [left, running, other]) mkdirSync(join(root, name, 'service'), { recursive: true });
    const half = async (aside: Environment) => {
      mkdirSync(aside.home);
      writeFileSync(aside.database, 'half');
      cut('ceremony');
    };
    const fault = await refusalOf(makeAside(readEnvironment({ home }, {}), half));
    expect(fault.message).to.equal('cut here');
    expect(readdirSync(root)).to.have.members([running, other]);
  });
});

forEachDatabase('a database of another place', (fixture) => {
  scratchHome();

  it('must be empty again after an interrupted making', async function postgresOnly() {
    this.timeout(60_000);
    // A file is seen before anything is made.
    if (fixture.engine === 'sqlite') this.skip();
    const environment = readEnvironment({ home }, { KMC_DB: fixture.url });
    const progress = (step: string, done: number) => (done > 2 ? cut(step) : undefined);
    expect((await refusalOf(initInstance(environment, progress))).message).to.contain('use an empty database');
    expect(existsSync(home)).to.equal(false);
    const again = await refusalOf(initInstance(environment));
    expect(again.code).to.equal('E_CONFLICT');
    expect(again.message).to.contain('Use an empty database');
    expect(readdirSync(root)).to.deep.equal([]);
  });
});
