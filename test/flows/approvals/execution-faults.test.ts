import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import type { CreatedRequest } from '../../../src/flows/approvals/create-request.ts';
import { executeRequest, type ExecutedRequest } from '../../../src/flows/approvals/execute-request.ts';
import { reconcileExecutions } from '../../../src/flows/approvals/reconcile-executions.ts';
import type { Database } from '../../../src/flows/ports/database.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { forEachDatabase } from '../../store/databases.ts';
import {
  approvalInstance,
  callerOf,
  countingHandler,
  eventsOf,
  open,
  SOURCE,
  SYSTEM,
  vote,
  type Cast,
  type StandingClock,
  type TestPorts,
} from './approval-instance.ts';

forEachDatabase('an execution that a fault interrupts', (fixture) => {
  const suspended: string[] = [];
  const instance = approvalInstance(fixture, () => {
    suspended.splice(0);
    const counting = countingHandler();
    return {
      'key.destroy': counting,
      'key.suspend': {
        kind: 'external',
        target: counting.target,
        settled: async () => undefined,
        act: async (act) => {
          suspended.push(act.requestDigest);
          return { done: 'yes' };
        },
      },
    };
  });
  let cast: Cast;
  let database: Database;
  let clock: StandingClock;
  let ports: TestPorts;
  beforeEach(() => {
    ({ cast, database, clock, ports } = instance());
  });

  async function approved(op: 'key.destroy' | 'key.suspend'): Promise<CreatedRequest> {
    const created = await open(ports, op, callerOf(cast.of('p-proposer')));
    await vote(ports, created, cast.of('p-sec'), 'security-administrator');
    await vote(ports, created, cast.of('p-owner'), 'ca-owner');
    return created;
  }
  const execute = (created: CreatedRequest): Promise<ExecutedRequest> =>
    executeRequest(ports, { requestId: created.request.id, source: SOURCE }, SYSTEM);
  const stateOf = async (created: CreatedRequest): Promise<string | undefined> =>
    (await database.read((reader) => reader.requests.find(created.request.id)))?.state;
  const effects = async (): Promise<number> => (await eventsOf(database, 'keystore', 'effect')).length;

  /** Makes one kind of statement fail, in the database itself. */
  async function breakStatement(on: string, when: string): Promise<() => Promise<void>> {
    const table = on.split(' ').at(-1) ?? '';
    if (fixture.engine === 'sqlite') {
      await fixture.sql(`create trigger fault before ${on} when ${when} begin select raise(abort, 'fault'); end`);
      return async () => void (await fixture.sql('drop trigger fault'));
    }
    await fixture.sql(
      `create function fault() returns trigger language plpgsql as $$ begin raise exception 'fault'; end $$`,
    );
    await fixture.sql(`create trigger fault before ${on} for each row when (${when}) execute function fault()`);
    return async () => void (await fixture.sql(`drop trigger fault on ${table}`));
  }

  const STATEMENTS: Readonly<Record<string, readonly [string, string]>> = {
    'the move to EXECUTING': ['update on requests', "new.state = 'EXECUTING'"],
    'the claim of the execution': ['insert on executions', '1 = 1'],
    'the event of the intent or the effect': ['insert on audit_event', "new.act <> 'request.approve'"],
    'the result of the execution': ['update on executions', '1 = 1'],
    'the move to DONE': ['update on requests', "new.state = 'DONE'"],
  };
  for (const [what, [on, when]] of Object.entries(STATEMENTS)) {
    it(`at ${what} leaves nothing, and the next try does it once`, async () => {
      const created = await approved('key.destroy');
      const mend = await breakStatement(on, when);
      expect(await refusalFrom(execute(created))).not.to.equal(undefined);
      expect(await stateOf(created)).to.equal('QUORUM');
      expect(await effects()).to.equal(0);
      expect(await database.read((reader) => reader.executions.find(created.digest))).to.equal(undefined);
      await mend();
      await execute(created);
      expect(await stateOf(created)).to.equal('DONE');
      expect(await effects()).to.equal(1);
    });
  }

  it('by kill -9, inside of the transaction and inside of an outside act, ends in exactly one effect each', async () => {
    const [outside, inside] = [await approved('key.suspend'), await approved('key.destroy')];
    const script = join(import.meta.dirname, 'execute-until-killed.ts');
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', script, fixture.url, outside.request.id, inside.request.id],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).to.equal('hanging');
    child.kill('SIGKILL');
    await once(child, 'exit');

    expect(await stateOf(inside), 'rolled back').to.equal('QUORUM');
    expect(await effects()).to.equal(0);
    await execute(inside);
    expect(await effects()).to.equal(1);

    expect(await stateOf(outside), 'the intent is durable').to.equal('EXECUTING');
    expect((await refusalFrom(execute(outside)))?.code).to.equal('E_STATE');
    for (const state of ['INDETERMINATE', 'FAILED']) {
      clock.advance(61);
      expect(await reconcileExecutions(ports, { afterSeconds: 60, source: SOURCE }, SYSTEM)).to.equal(1);
      expect(await stateOf(outside)).to.equal(state);
    }
    await execute(outside);
    expect(await stateOf(outside)).to.equal('DONE');
    expect(suspended).to.deep.equal([outside.digest]);
  }).timeout(60_000);
});
