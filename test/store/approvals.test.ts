import { expect } from 'chai';
import type { ApprovalRow } from '../../src/flows/ports/approvals.ts';
import type { RequestMove } from '../../src/flows/ports/requests.ts';
import { forEachDatabase } from './databases.ts';
import { refusal, winners } from './race.ts';
import { AT, later, person, recordEvent, request } from './rows.ts';

function decision(
  requestId: string,
  personId: string,
  given: Partial<ApprovalRow> = {},
): Omit<ApprovalRow, 'withdrawal'> {
  return {
    requestId,
    personId,
    role: 'ca-owner',
    decision: 'APPROVE',
    body: Buffer.from('{"decision":"APPROVE"}'),
    signature: Buffer.alloc(64, 1),
    certificate: Buffer.from('certificate'),
    decidedAt: AT,
    ...given,
  };
}

forEachDatabase('requests and approvals', (fixture) => {
  let created = '';
  let changed = '';
  const move = (given: Partial<RequestMove> = {}): Promise<boolean> =>
    fixture.database.transaction((tx) =>
      tx.requests.move({
        id: 'rq-1',
        from: { state: 'OPEN', version: 1 },
        to: 'QUORUM',
        at: later(10),
        auditEvent: changed,
        ...given,
      }),
    );

  beforeEach(async () => {
    created = await recordEvent(fixture);
    changed = await recordEvent(fixture);
    await fixture.database.transaction(async (tx) => {
      await tx.people.insert(person('p-1'));
      await tx.people.insert(person('p-2'));
      expect(await tx.requests.insert(request('rq-1', created))).to.equal(true);
    });
  });

  it('come back as they were written', async () => {
    await fixture.database.read(async ({ requests }) => {
      expect(await requests.find('rq-1')).to.deep.equal(request('rq-1', created));
      expect(await requests.findByDigest('sm3:request-rq-1')).to.deep.equal(request('rq-1', created));
      expect(await requests.find('rq-2')).to.equal(undefined);
    });
  });

  it('are inserted once, by id and by digest', async () => {
    const insert = (id: string, digest: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.requests.insert(request(id, created, { digest })));
    expect(await insert('rq-1', 'sm3:other')).to.equal(false);
    expect(await winners(16, (racer) => insert(`rq-x${racer}`, 'sm3:same'))).to.equal(1);
  });

  it('move by compare-and-set on state and version', async () => {
    expect(await winners(8, () => move())).to.equal(1);
    expect(await fixture.database.read(({ requests }) => requests.find('rq-1'))).to.deep.equal(
      request('rq-1', changed, { state: 'QUORUM', version: 2, quorumAt: later(10), changedAt: later(10) }),
    );
    expect(await move({ from: { state: 'QUORUM', version: 1 }, to: 'EXECUTING' })).to.equal(false);
  });

  it('do not move without an audit event of their own', async () => {
    await refusal('E_AUDIT', move({ auditEvent: created }));
    await refusal('E_AUDIT', move({ auditEvent: 'ev-unknown' }));
    const unrecorded = fixture.database.transaction((tx) => tx.requests.insert(request('rq-2', 'ev-unknown')));
    await refusal('E_AUDIT', unrecorded);
    expect(await fixture.database.read(({ requests }) => requests.find('rq-1'))).to.deep.equal(
      request('rq-1', created),
    );
  });

  it('are listed by state, act, proposer and target, in pages', async () => {
    await fixture.database.transaction(async (tx) => {
      await tx.requests.insert(request('rq-2', created, { state: 'DONE', target: 'key/k-1', op: 'key.destroy' }));
      await tx.requests.insert(request('rq-3', created, { proposer: 'authority/ca-1' }));
    });
    await fixture.database.read(async ({ requests }) => {
      const ids = async (...args: Parameters<typeof requests.list>): Promise<string[]> =>
        (await requests.list(...args)).map(({ id }) => id);
      expect(await ids({}, { limit: 2 })).to.deep.equal(['rq-1', 'rq-2']);
      expect(await ids({}, { limit: 2, after: 'rq-2' })).to.deep.equal(['rq-3']);
      expect(await ids({ state: 'OPEN' }, { limit: 9 })).to.deep.equal(['rq-1', 'rq-3']);
      expect(await ids({ op: 'key.destroy', target: 'key/k-1' }, { limit: 9 })).to.deep.equal(['rq-2']);
      expect(await ids({ proposer: 'authority/ca-1' }, { limit: 9 })).to.deep.equal(['rq-3']);
      expect(await ids({ target: "' or '1'='1" }, { limit: 9 })).to.deep.equal([]);
    });
  });

  it('are overdue when their time is over and their state is not final', async () => {
    await fixture.database.transaction(async (tx) => {
      await tx.requests.insert(request('rq-2', created, { state: 'REJECTED', expiresAt: later(1) }));
      await tx.requests.insert(request('rq-3', created, { expiresAt: later(5) }));
      await tx.requests.insert(
        request('rq-4', created, { state: 'EXECUTING', changedAt: later(-60), expiresAt: later(99) }),
      );
    });
    await fixture.database.read(async ({ requests }) => {
      expect((await requests.overdue(later(5), 9)).map(({ id }) => id)).to.deep.equal(['rq-3']);
      expect((await requests.stuck(later(-59), 9)).map(({ id }) => id)).to.deep.equal(['rq-4']);
    });
  });

  it('take one decision of a person, even if it was withdrawn', async () => {
    const decide = (personId: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.approvals.insert(decision('rq-1', personId)));
    const withdrawal = {
      body: Buffer.from('w'),
      signature: Buffer.alloc(64, 2),
      certificate: Buffer.from('c'),
      at: later(9),
    };
    const withdraw = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.approvals.withdraw('rq-1', 'p-1', withdrawal));

    expect(await withdraw()).to.equal(false);
    expect(await winners(16, () => decide('p-1'))).to.equal(1);
    expect(await winners(8, withdraw)).to.equal(1);
    expect(await decide('p-1')).to.equal(false);
    expect(await decide('p-2')).to.equal(true);
    expect(await fixture.database.read(({ approvals }) => approvals.of('rq-1'))).to.deep.equal([
      { ...decision('rq-1', 'p-1'), withdrawal },
      { ...decision('rq-1', 'p-2'), withdrawal: undefined },
    ]);
  });

  it('are executed once by 8 racers that read, check and write under the lock', async () => {
    await fixture.database.transaction((tx) => tx.approvals.insert(decision('rq-1', 'p-1')));
    await move();
    const executed = await winners(8, (racer) =>
      fixture.database.transaction(async (tx) => {
        const found = await tx.requests.lock('rq-1');
        if (found?.state !== 'QUORUM') return false;
        const step = { id: 'rq-1', from: found, to: 'EXECUTING', at: later(20), auditEvent: created } as const;
        const moved = await tx.requests.move(step);
        expect(
          await tx.executions.insert({ requestDigest: found.digest, at: later(racer), result: undefined }),
        ).to.equal(true);
        return moved;
      }),
    );
    expect(executed).to.equal(1);
  });

  it('keep the result of an execution', async () => {
    const digest = 'sm3:request-rq-1';
    const claim = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.executions.insert({ requestDigest: digest, at: AT, result: undefined }));
    const complete = (racer: number): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.executions.complete(digest, `{"racer":${racer}}`));
    expect(await complete(0)).to.equal(false);
    await fixture.database.transaction((tx) => tx.approvals.insert(decision('rq-1', 'p-1')));
    await move({ to: 'EXECUTING' });
    expect(await winners(16, claim)).to.equal(1);
    expect(await winners(4, complete)).to.equal(1);
    expect((await fixture.database.read(({ executions }) => executions.find(digest)))?.result).to.match(/racer/);
  });

  it('are never deleted', async () => {
    const error: unknown = await fixture
      .sql("delete from requests where id = 'rq-1'")
      .catch((reason: unknown) => reason);
    expect(String(error)).to.match(/never deleted/);
  });
});
