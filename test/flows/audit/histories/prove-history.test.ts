import { expect } from 'chai';
import type { Caller } from '../../../../src/domain/caller.ts';
import type { HistoryFile } from '../../../../src/domain/audit/history.ts';
import { closeIndexEpoch } from '../../../../src/flows/audit/histories/close-index-epoch.ts';
import { keepIndex } from '../../../../src/flows/audit/histories/keep-index.ts';
import { proveHistory, type HistoryPorts } from '../../../../src/flows/audit/histories/prove-history.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { reportText } from '../../../../src/verifier/report.ts';
import { verifyHistory, type HistoryReport } from '../../../../src/verifier/verify-history.ts';
import { formatAuditPolicy } from '../../../../src/domain/audit/policy.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { refusal, winners } from '../../../store/race.ts';
import { deviceEvent, ORIGIN, TestLog } from '../test-log.ts';

const auditor: Caller = {
  type: 'person',
  id: 'p-auditor',
  unit: 'u-1',
  roles: [{ role: 'auditor' }],
  certificateSm3: `sm3:${'0'.repeat(64)}`,
};
const SYSTEM = { type: 'system', id: 'audit-index' } as const;

forEachDatabase('histories of the audit log', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;
  let ports: HistoryPorts;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
    const audit = { origin: ORIGIN, certificate: () => Promise.resolve(log.logKey.certificate) };
    ports = { database, clock: log.clock, node: 'node-1', audit };
  });

  async function grow(events: number, devices = 5): Promise<void> {
    for (let done = 0; done < events; done += 50) {
      await database.transaction(async (tx) => {
        for (let event = done; event < Math.min(events, done + 50); event += 1) {
          const actor = { type: 'person', id: `p-${event % 3}` } as const;
          const terms = [{ type: 'authority', id: 'ca-1' }];
          await tx.audit.append(deviceEvent(`dev-${event % devices}`, { actor, terms }), log.clock.now());
        }
      });
    }
    await log.advance(database);
  }

  async function prove(key: string): Promise<HistoryFile> {
    return await proveHistory(ports, { key, source: { node: 'node-1' } }, auditor);
  }

  async function closeEpoch(): Promise<void> {
    expect(await closeIndexEpoch(ports, SYSTEM)).not.to.equal(undefined);
    await log.advance(database);
  }

  function check(file: HistoryFile, policy = formatAuditPolicy(log.policy)): HistoryReport {
    return verifyHistory(JSON.stringify(file), { policy });
  }

  function expectExit(code: number, file: HistoryFile): void {
    const report = check(file);
    expect(report.exitCode, reportText(report)).to.equal(code);
  }

  it('a log without an index is its own proof: every leaf is looked at', async () => {
    await grow(40);
    const file = await prove('device dev-2');
    expect(file.index).to.equal(undefined);
    const report = check(file);
    expect(report.exitCode, reportText(report)).to.equal(0);
    expect(report.events).to.have.length(8);
    expect(report.events.map(({ event }) => event.subj[0]!.tag)).to.deep.equal(
      Array.from({ length: 8 }, () => 'dev-2'),
    );
    expect(report.coverage).to.deep.equal({ from: 0, to: 40, of: 40, unverifiedTail: 0 });
  });

  it('behind an index only the newest leaves are looked at, and old events are proven by their entry', async () => {
    await grow(300);
    await closeEpoch();
    await grow(10);
    const file = await prove('device dev-2');
    expect(file.tail.from).to.equal(300);
    expect(file.events).to.have.length(60);
    const report = check(file);
    expect(report.exitCode, reportText(report)).to.equal(0);
    expect(report.events).to.have.length(62);
  });

  it('a second epoch goes on from the first one, with new keys between old ones', async () => {
    await grow(30, 3);
    await closeEpoch();
    await grow(35, 35);
    await closeEpoch();
    for (const key of ['device dev-0', 'device dev-2', 'device dev-34', `log ${ORIGIN}`, 'term authority:ca-1']) {
      const report = check(await prove(key));
      expect(report.exitCode, `${key}\n${reportText(report)}`).to.equal(0);
      const [counted] = await database.read(({ auditIndex }) => auditIndex.findKeys([key]));
      if (key.startsWith('device')) expect(counted!.count).to.equal(report.events.length);
    }
  });

  it('everything that a person did is a history too, and so is that there is nothing', async () => {
    await grow(90);
    await closeEpoch();
    const acts = check(await prove('actor person:p-1'));
    expect(acts.exitCode, reportText(acts)).to.equal(0);
    expect(acts.events).to.have.length(30);
    for (const key of ['actor person:p-9', 'aaa first', 'zzz last', 'device dev-22', 'key key-1']) {
      const report = check(await prove(key));
      expect(report.exitCode, `${key}\n${reportText(report)}`).to.equal(0);
      expect(report.events).to.deep.equal([]);
    }
  });

  it('shows a period and proves the whole', async () => {
    await grow(20);
    log.clock.advance(3600);
    await grow(20);
    const from = log.clock.now();
    from.setMinutes(from.getMinutes() - 5);
    const file = await proveHistory(ports, { key: 'device dev-1', from, source: { node: 'node-1' } }, auditor);
    const report = check(file);
    expect(report.exitCode).to.equal(0);
    expect([report.inPeriod.length, report.events.length]).to.deep.equal([4, 8]);
  });

  it('is for readers of the log, who are recorded', async () => {
    await refusal('E_NOT_FOUND', prove('device dev-1'));
    await grow(10);
    const operator: Caller = { ...auditor, roles: [{ role: 'ca-operator' }] };
    await refusal('E_FORBIDDEN', proveHistory(ports, { key: 'device dev-1', source: { node: 'n' } }, operator));
    await prove('device dev-1');
    await log.advance(database);
    const acts = check(await prove('actor person:p-auditor'));
    expect(acts.events.map(({ event }) => event.act)).to.deep.equal(['audit.pull']);
  });

  it('brings the index up when it is far behind, and asks to come again until a checkpoint holds it', async function far() {
    this.timeout(60_000);
    await grow(1_100);
    await refusal('E_PENDING', prove('device dev-1'));
    await log.advance(database);
    const file = await prove('device dev-1');
    expect(file.tail.from).to.equal(1_100);
    expect(check(file).exitCode).to.equal(0);
  });

  it('an epoch closes by itself when much is new, or an hour has passed, and not for its own event', async () => {
    await grow(1_030);
    expect(await keepIndex(ports, SYSTEM)).to.have.property('size', 1_030);
    await log.advance(database);
    await grow(50);
    expect(await keepIndex(ports, SYSTEM)).to.equal(undefined);
    log.clock.advance(3_700);
    expect(await keepIndex(ports, SYSTEM), 'too little is new').to.equal(undefined);
    await grow(1_030);
    expect(await keepIndex(ports, SYSTEM)).to.have.property('epoch', 2);
  });

  it('only one of three processes closes an epoch', async () => {
    await grow(60);
    expect(await winners(3, async () => (await closeIndexEpoch(ports, SYSTEM)) !== undefined)).to.equal(1);
    await log.advance(database);
    expect(check(await prove('device dev-1')).exitCode).to.equal(0);
  });

  describe('a history that is not whole is found', () => {
    let file: HistoryFile;
    let absent: HistoryFile;

    beforeEach(async function makeFiles() {
      await grow(200);
      await closeEpoch();
      await grow(20);
      file = await prove('device dev-2');
      absent = await prove('device dev-22');
      expectExit(0, file);
      expectExit(0, absent);
    });

    it('one event in the middle, the first or the last before the index is left out (14)', () => {
      for (const at of [0, 17, file.events.length - 1])
        expectExit(14, { ...file, events: file.events.toSpliced(at, 1) });
    });

    it('a leaf behind the index is left out, altered, or the tail cut (10, 3)', () => {
      const { tail } = file;
      expectExit(3, { ...file, tail: { ...tail, events: tail.events.slice(0, -1) } });
      const altered = tail.events.with(3, tail.events[3]!.replace('success', 'failure'));
      expectExit(10, { ...file, tail: { ...tail, events: altered } });
      expectExit(3, { ...file, tail: { ...tail, edge: tail.edge.slice(1) } });
      expectExit(10, { ...file, tail: { ...tail, edge: tail.edge.toReversed() } });
    });

    it('an event that is real but not in the tree, or of another subject (14)', () => {
      const [first, second] = [file.events[0]!, file.events[1]!];
      const forged = first.canon.replace('success', 'failure');
      expectExit(14, { ...file, events: file.events.with(0, { ...first, canon: forged }) });
      expectExit(14, { ...file, events: file.events.with(0, { ...first, proof: second.proof }) });
      expectExit(14, { ...file, events: file.events.with(0, { ...first, index: first.index + 1 }) });
      expectExit(14, { ...file, key: 'device dev-3' });
    });

    it('an entry of the index that was not stated, or is of another key (14)', () => {
      const { index } = file;
      const [entry] = index!.entries;
      const lying = { ...entry!, entry: entry!.entry.replace(/\n\d+\n/, '\n3\n') };
      expectExit(14, { ...file, index: { ...index!, entries: [lying] } });
      expectExit(14, { ...file, index: { ...index!, entries: [{ ...entry!, position: entry!.position + 1 }] } });
      expectExit(14, { ...file, index: { ...index!, entries: [] } });
      expectExit(14, { ...file, index: absent.index! });
    });

    it('that a key has no events, unless its neighbours leave no room (14)', () => {
      const { index } = absent;
      expectExit(14, { ...file, events: [], index: index! });
      expectExit(14, { ...absent, key: 'device dev-2', events: [] });
      expectExit(14, { ...absent, index: { ...index!, entries: index!.entries.slice(0, 1) } });
      expectExit(14, { ...absent, index: { ...index!, entries: index!.entries.toReversed() } });
    });

    it('an index that the log never stated (3, 14)', () => {
      const { index } = file;
      expectExit(3, { ...file, index: { ...index!, size: index!.size - 1 } });
    });

    it('anything that is no history file (16)', () => {
      for (const text of ['', '{}', 'null', JSON.stringify({ ...file, more: 1 })]) {
        expect(verifyHistory(text).exitCode).to.equal(16);
      }
      expect(verifyHistory(JSON.stringify(file)).warnings.join()).to.include('from the file itself');
    });

    it('no character of the file can be changed unseen', () => {
      const json = JSON.stringify(file);
      const step = Math.floor(json.length / 60);
      for (let at = 0; at < json.length; at += step) {
        const other = json[at] === '5' ? '6' : '5';
        const { exitCode } = verifyHistory(json.slice(0, at) + other + json.slice(at + 1), {
          policy: formatAuditPolicy(log.policy),
        });
        expect(exitCode, `character ${at}: ${json.slice(at - 20, at + 20)}`).to.be.oneOf([3, 10, 11, 14, 16]);
      }
    });
  });
});
