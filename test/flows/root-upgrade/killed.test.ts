/** kill -9 in the transaction that makes a transition: all of it is there afterwards, or nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { forEachDatabase } from '../../store/databases.ts';

const SCRIPT = join(import.meta.dirname, 'upgrade-until-killed.ts');

forEachDatabase('a root upgrade whose process is killed', (fixture) => {
  async function killed(mode: 'before' | 'after'): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, fixture.url, mode], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(child, 'exit');
    expect(child.signalCode).to.equal('SIGKILL');
  }

  /** State, history, versions of the bundle, state of the request, and events of the transitions. */
  async function left(): Promise<unknown> {
    const [upgrade] = await fixture.sql('select state, version from root_upgrades');
    const steps = await fixture.sql('select step from root_upgrade_steps order by version');
    const bundles = await fixture.sql('select version from trust_bundles');
    const requests = await fixture.sql("select state from requests where op = 'root.pilot'");
    return {
      state: upgrade?.['state'],
      version: Number(upgrade?.['version']),
      steps: steps.map(({ step }) => step).join(' '),
      bundles: bundles.length,
      requests: requests.map(({ state }) => state).join(' '),
    };
  }

  it('stands before the transition, whose request can still be executed, when nothing was committed', async function () {
    this.timeout(120_000);
    await killed('before');
    expect(await left()).to.deep.equal({
      state: 'STAGED',
      version: 4,
      steps: 'T1 T2 T3',
      bundles: 1,
      requests: 'QUORUM',
    });
  });

  it('stands after it, with everything that belongs to it, when it was committed', async function () {
    this.timeout(120_000);
    await killed('after');
    expect(await left()).to.deep.equal({
      state: 'PILOT',
      version: 5,
      steps: 'T1 T2 T3 T4',
      bundles: 2,
      requests: 'DONE',
    });
  });
});
