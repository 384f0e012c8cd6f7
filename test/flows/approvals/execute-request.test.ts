import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { newId } from '../../../src/domain/id.ts';
import { KmcError } from '../../../src/errors.ts';
import type { ExecutionResult, ExternalHandler } from '../../../src/flows/approvals/action-handler.ts';
import type { CreatedRequest } from '../../../src/flows/approvals/create-request.ts';
import { executeRequest, type ExecutedRequest } from '../../../src/flows/approvals/execute-request.ts';
import { reconcileExecutions } from '../../../src/flows/approvals/reconcile-executions.ts';
import type { Database, Transaction } from '../../../src/flows/ports/database.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { forEachDatabase } from '../../store/databases.ts';
import {
  approvalInstance,
  AUDIT,
  callerOf,
  countingHandler,
  effect,
  eventsOf,
  MovingTarget,
  open,
  portsOn,
  SOURCE,
  SYSTEM,
  vote,
  withoutGuard,
  type Cast,
  type StandingClock,
  type TestPorts,
} from './approval-instance.ts';

const CALLS = 50;

/** An effect outside of the database: a list that a device keeps, by operation id. */
class Device implements ExternalHandler {
  readonly kind = 'external';
  readonly target = async (): Promise<{ state: string; version: string }> => ({ state: 'READY', version: '1' });
  readonly done = new Map<string, ExecutionResult>();
  calls = 0;
  /** Throws before or after the effect, and when it is looked up. */
  fault: 'none' | 'before' | 'after' | 'gone' = 'none';

  async act({ requestDigest }: { readonly requestDigest: string }): Promise<ExecutionResult> {
    this.calls += 1;
    if (this.fault === 'before' || this.fault === 'gone') throw new KmcError('E_STORAGE', 'the device is away');
    const result = this.done.get(requestDigest) ?? { serial: String(this.done.size + 1) };
    this.done.set(requestDigest, result);
    if (this.fault === 'after') throw new Error('the line broke');
    return result;
  }

  async settled(requestDigest: string): Promise<ExecutionResult | undefined> {
    if (this.fault === 'gone') throw new KmcError('E_STORAGE', 'the device is away');
    return this.done.get(requestDigest);
  }
}

forEachDatabase('the execution of a request', (fixture) => {
  let target: MovingTarget;
  let device: Device;
  const instance = approvalInstance(fixture, () => {
    target = new MovingTarget();
    device = new Device();
    return {
      'key.destroy': countingHandler(target),
      'authority.revoke': countingHandler(target),
      'key.suspend': device,
    };
  });
  let cast: Cast;
  let database: Database;
  let clock: StandingClock;
  let ports: TestPorts;
  beforeEach(() => {
    ({ cast, database, clock, ports } = instance());
  });

  async function approved(op: 'key.destroy' | 'key.suspend' = 'key.destroy'): Promise<CreatedRequest> {
    const created = await open(ports, op, callerOf(cast.of('p-proposer')));
    await vote(ports, created, cast.of('p-sec'), 'security-administrator');
    await vote(ports, created, cast.of('p-owner'), 'ca-owner');
    return created;
  }
  const execute = (created: CreatedRequest, on: TestPorts = ports): Promise<ExecutedRequest> =>
    executeRequest(on, { requestId: created.request.id, source: SOURCE }, SYSTEM);
  const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => (await refusalFrom(work))?.code;
  const rowOf = (created: CreatedRequest) => database.read((reader) => reader.requests.find(created.request.id));
  const effects = async (): Promise<number> => (await eventsOf(database, 'keystore', 'effect')).length;
  const events = (created: CreatedRequest): Promise<string[]> => eventsOf(database, 'request', created.request.id);

  it('does what was approved, once, and leaves effect, result and events together', async () => {
    const created = await approved();
    const executed = await execute(created);
    expect(executed).to.deep.equal({
      requestId: created.request.id,
      requestDigest: created.digest,
      result: { setting: 'key.destroy' },
    });
    expect(await rowOf(created)).to.include({ state: 'DONE', version: 4 });
    const execution = await database.read((reader) => reader.executions.find(created.digest));
    expect(execution?.result).to.equal('{"setting":"key.destroy"}');
    expect((await events(created)).slice(-2)).to.deep.equal(['request.execute success', 'request.execute success']);
    expect(await effects()).to.equal(1);
  });

  it('refuses a second time', async () => {
    const created = await approved();
    await execute(created);
    expect(await codeOf(execute(created))).to.equal('E_STATE');
    expect(await effects()).to.equal(1);
  });

  it(`of ${CALLS} calls at once on two connections does it exactly once (E4)`, async () => {
    const created = await approved();
    const other = portsOn(await fixture.open({ audit: AUDIT }), ports.handlers, clock);
    const outcomes = await Promise.all(
      Array.from({ length: CALLS }, (_, index) => codeOf(execute(created, index % 2 === 0 ? ports : other))),
    );
    expect(outcomes.filter((code) => code === undefined)).to.have.length(1);
    expect([undefined, 'E_STATE', 'E_CONFLICT']).to.include.members([...new Set(outcomes)]);
    expect(await effects()).to.equal(1);
    expect((await events(created)).filter((event) => event === 'request.execute success')).to.have.length(2);
  }).timeout(60_000);

  it(`of ${CALLS} calls at once in two processes does it exactly once (E4)`, async () => {
    const created = await approved();
    const script = join(import.meta.dirname, 'execute-many.ts');
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', script, fixture.url, created.request.id, String(CALLS / 2)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).to.equal('ready');
    child.stdin.write('go\n');
    const here = await Promise.all(
      Array.from({ length: CALLS / 2 }, async () => (await codeOf(execute(created))) ?? 'done'),
    );
    const there = JSON.parse(String((await lines.next()).value)) as string[];
    if (child.exitCode === null) await once(child, 'exit');
    const outcomes = [...here, ...there];
    expect(outcomes).to.have.length(CALLS);
    expect(outcomes.filter((outcome) => outcome === 'done')).to.have.length(1);
    expect(['done', 'E_STATE', 'E_CONFLICT']).to.include.members([...new Set(outcomes)]);
    expect(await effects()).to.equal(1);
    expect(await rowOf(created)).to.include({ state: 'DONE' });
  }).timeout(60_000);

  describe('looks at everything again', () => {
    /** Refused, nothing done, and the refusal stands in the log. */
    async function refused(created: CreatedRequest, code: string, on: TestPorts = ports): Promise<void> {
      expect(await codeOf(execute(created, on))).to.equal(code);
      expect(await effects()).to.equal(0);
      expect(await database.read((reader) => reader.executions.find(created.digest))).to.equal(undefined);
    }

    it('whether the quorum is there at all', async () => {
      const created = await open(ports, 'key.destroy', callerOf(cast.of('p-proposer')));
      await vote(ports, created, cast.of('p-sec'), 'security-administrator');
      await refused(created, 'E_QUORUM');
    });

    it('whether the approvers still hold the role (E2)', async () => {
      const created = await approved();
      await database.transaction((tx) => tx.people.withdrawRole('p-owner', { role: 'ca-owner' }));
      await refused(created, 'E_QUORUM');
      expect((await events(created)).at(-1)).to.equal('request.execute denied E_QUORUM');
    });

    it('whether the approvers are still active', async () => {
      const created = await approved();
      const person = await database.read((reader) => reader.people.find('p-owner'));
      await database.transaction((tx) => tx.people.setStatus('p-owner', person?.version ?? 0, 'disabled'));
      await refused(created, 'E_QUORUM');
    });

    it('whether their certificates are still in force', async () => {
      const created = await approved();
      const { certificateSm3 } = callerOf(cast.of('p-sec'));
      await database.transaction((tx) => tx.people.setAccountStatus(certificateSm3, 'valid', 'suspended'));
      await refused(created, 'E_QUORUM');
    });

    it('whether an approval was withdrawn (E5)', async () => {
      const created = await approved();
      await vote(ports, created, cast.of('p-owner'), 'ca-owner', 'WITHDRAW');
      await refused(created, 'E_QUORUM');
    });

    it('whether it has expired (E5)', async () => {
      const created = await approved();
      clock.advance(72 * 3600);
      await refused(created, 'E_TIME');
    });

    it('whether the target is as it was (E3)', async () => {
      const created = await approved();
      target.version += 1;
      await refused(created, 'E_STALE');
      target.version -= 1;
      target.state = 'DONE';
      await refused(created, 'E_STALE');
    });

    it('whether the policy is the one it was approved under (E3)', async () => {
      const created = await approved();
      const digest = `sm3:${'5'.repeat(64)}`;
      await database.transaction((tx) => tx.instance.replace('policy-digest', ports.policyDigest, digest));
      await refused(created, 'E_POLICY');
      await refused(created, 'E_STALE', { ...ports, policyDigest: digest });
    });

    it('at every signature: one that was put into the database does not count', async () => {
      const created = await open(ports, 'key.destroy', callerOf(cast.of('p-proposer')));
      await vote(ports, created, cast.of('p-sec'), 'security-administrator');
      await vote(ports, created, cast.of('p-owner'), 'ca-owner');
      await withoutGuard(fixture, 'approvals', 'signed');
      await fixture.sql("update approvals set signature = ? where person_id = 'p-owner'", [Buffer.alloc(64, 7)]);
      await refused(created, 'E_SIGNATURE');
    });

    it('at every body: an approval that was made of a rejection does not count', async () => {
      const created = await approved();
      await withoutGuard(fixture, 'approvals', 'signed');
      await fixture.sql("update approvals set person_id = 'p-owner2' where person_id = 'p-owner'");
      await refused(created, 'E_INTEGRITY');
    });

    it('who starts it: only who may propose or approve such acts', async () => {
      const created = await approved();
      const start = (id: string): Promise<unknown> =>
        executeRequest(ports, { requestId: created.request.id, source: SOURCE }, callerOf(cast.of(id)));
      for (const id of ['p-auditor', 'p-sys', 'p-ra']) expect(await codeOf(start(id)), id).to.equal('E_FORBIDDEN');
      expect(await codeOf(start('p-ca'))).to.equal(undefined);
    });

    it('whether anybody does that act here', async () => {
      const created = await approved();
      await refused(created, 'E_USAGE', { ...ports, handlers: {} });
      expect(await codeOf(executeRequest(ports, { requestId: 'rq-none', source: SOURCE }, SYSTEM))).to.equal(
        'E_NOT_FOUND',
      );
    });
  });

  describe('cools down in class L3', () => {
    async function agreed(on: TestPorts): Promise<CreatedRequest> {
      const created = await open(on, 'authority.revoke', callerOf(cast.of('p-proposer')));
      await vote(on, created, cast.of('p-sec'), 'security-administrator');
      await vote(on, created, cast.of('p-owner'), 'ca-owner');
      await vote(on, created, cast.of('p-owner2'), 'ca-owner');
      return created;
    }
    const production = (): TestPorts => ({ ...ports, environment: 'production' });

    it('for an hour, in which an approval can still be taken back', async () => {
      const created = await agreed(production());
      clock.advance(3599);
      const refusal = await refusalFrom(execute(created, production()));
      expect(refusal?.code).to.equal('E_PENDING');
      expect(refusal?.retryAfter).to.equal(1);
      await vote(production(), created, cast.of('p-owner2'), 'ca-owner', 'WITHDRAW');
      clock.advance(1);
      expect(await codeOf(execute(created, production()))).to.equal('E_QUORUM');
    });

    it('and is executed afterwards', async () => {
      const created = await agreed(production());
      clock.advance(3600);
      expect(await codeOf(execute(created, production()))).to.equal(undefined);
    });

    it('but not in a development instance, nor in an emergency', async () => {
      expect(await codeOf(execute(await agreed(ports)))).to.equal(undefined);
      const handlers = { 'authority.revoke': { ...countingHandler(target), urgent: async () => true } };
      const urgent = { ...production(), handlers };
      expect(await codeOf(execute(await agreed(urgent), urgent))).to.equal(undefined);
    });
  });

  it('an effect that fails leaves nothing, and can be tried again', async () => {
    const created = await approved();
    const failing = {
      ...countingHandler(target),
      prepare: async (act: Parameters<typeof effect>[1]) => {
        const id = newId('ev', act.at);
        return async (tx: Transaction): Promise<ExecutionResult> => {
          await effect(tx, act, id);
          throw new KmcError('E_KEY', 'the key is not what it was');
        };
      },
    };
    const faulty = { ...ports, handlers: { 'key.destroy': failing } };
    expect(await codeOf(execute(created, faulty))).to.equal('E_KEY');
    expect(await effects()).to.equal(0);
    expect(await rowOf(created)).to.include({ state: 'QUORUM' });
    expect((await events(created)).at(-1)).to.equal('request.execute failure E_KEY');
    await execute(created);
    expect(await effects()).to.equal(1);
  });

  describe('with an effect outside of the database', () => {
    it('writes the intent before and the result after', async () => {
      const created = await approved('key.suspend');
      const seen: string[] = [];
      const watching = {
        'key.suspend': {
          kind: 'external' as const,
          target: device.target,
          settled: (digest: string) => device.settled(digest),
          act: async (act: Parameters<Device['act']>[0]) => {
            seen.push((await rowOf(created))?.state ?? '', ...(await events(created)).slice(-1));
            return device.act(act);
          },
        },
      };
      expect((await execute(created, { ...ports, handlers: watching })).result).to.deep.equal({ serial: '1' });
      expect(seen).to.deep.equal(['EXECUTING', 'request.execute success']);
      expect(await rowOf(created)).to.include({ state: 'DONE' });
    });

    it('that did not happen is FAILED and done once when tried again', async () => {
      const created = await approved('key.suspend');
      device.fault = 'before';
      expect(await codeOf(execute(created))).to.equal('E_STORAGE');
      expect(await rowOf(created)).to.include({ state: 'FAILED' });
      expect((await events(created)).at(-1)).to.equal('request.execute failure E_STORAGE');
      device.fault = 'none';
      expect((await execute(created)).result).to.deep.equal({ serial: '1' });
      expect(device.done.size).to.equal(1);
      expect(await codeOf(execute(created))).to.equal('E_STATE');
    });

    it('that happened although the answer was lost counts', async () => {
      const created = await approved('key.suspend');
      device.fault = 'after';
      expect((await execute(created)).result).to.deep.equal({ serial: '1' });
      expect(await rowOf(created)).to.include({ state: 'DONE' });
    });

    it('of which nothing is known is INDETERMINATE until the reconciler finds it', async () => {
      const created = await approved('key.suspend');
      device.fault = 'gone';
      expect(await codeOf(execute(created))).to.equal('E_PENDING');
      expect(await rowOf(created)).to.include({ state: 'INDETERMINATE' });
      expect(await codeOf(execute(created))).to.equal('E_STATE');
      const look = (): Promise<number> => reconcileExecutions(ports, { afterSeconds: 60, source: SOURCE }, SYSTEM);
      clock.advance(61);
      expect(await look()).to.equal(0);
      device.fault = 'none';
      device.done.set(created.digest, { serial: '9' });
      expect(await look()).to.equal(1);
      expect(await rowOf(created)).to.include({ state: 'DONE' });
      expect((await database.read((reader) => reader.executions.find(created.digest)))?.result).to.equal(
        '{"serial":"9"}',
      );
      expect(device.calls, 'never done again blindly').to.equal(1);
    });

    it('that a crash interrupted is looked up: not done, it fails at the second look', async () => {
      const created = await approved('key.suspend');
      let stop: (() => void) | undefined;
      const hanging = {
        'key.suspend': {
          kind: 'external' as const,
          target: device.target,
          settled: (digest: string) => device.settled(digest),
          act: () => new Promise<ExecutionResult>((_, reject) => (stop = () => reject(new Error('killed')))),
        },
      };
      const crashed = execute(created, { ...ports, handlers: hanging }).catch(() => 'lost');
      while ((await rowOf(created))?.state !== 'EXECUTING') await new Promise((resolve) => setTimeout(resolve, 5));
      const look = (): Promise<number> => reconcileExecutions(ports, { afterSeconds: 60, source: SOURCE }, SYSTEM);
      expect(await look(), 'it may still be running').to.equal(0);
      clock.advance(61);
      expect(await look()).to.equal(1);
      expect(await rowOf(created)).to.include({ state: 'INDETERMINATE' });
      clock.advance(61);
      expect(await look()).to.equal(1);
      expect(await rowOf(created)).to.include({ state: 'FAILED' });
      stop?.();
      await crashed;
      expect((await execute(created)).result).to.deep.equal({ serial: '1' });
      expect(device.done.size).to.equal(1);
    });

    it(`of ${CALLS} calls at once happens exactly once`, async () => {
      const created = await approved('key.suspend');
      const outcomes = await Promise.all(Array.from({ length: CALLS }, () => codeOf(execute(created))));
      expect(outcomes.filter((code) => code === undefined)).to.have.length(1);
      expect(device.calls).to.equal(1);
    }).timeout(60_000);
  });
});
