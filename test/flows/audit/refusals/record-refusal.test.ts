import { expect } from 'chai';
import { parseAuditRecord, type AuditRecord } from '../../../../src/domain/audit/record.ts';
import { RefusalTally } from '../../../../src/domain/audit/refusals.ts';
import type { Caller } from '../../../../src/domain/caller.ts';
import { audited } from '../../../../src/flows/audit/events/audited.ts';
import { recordRefusal, type RefusalPorts } from '../../../../src/flows/audit/refusals/record-refusal.ts';
import { writeRefusalCounts } from '../../../../src/flows/audit/refusals/write-refusal-counts.ts';
import { KmcError, type ErrorCode } from '../../../../src/errors.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { refusal } from '../../../store/race.ts';
import { deviceEvent, TestLog } from '../test-log.ts';

const person: Caller = { type: 'person', id: 'p-1', unit: 'u-1', roles: [], certificateSm3: `sm3:${'0'.repeat(64)}` };

forEachDatabase('refusals and failures', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;
  let ports: RefusalPorts;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
    ports = { database, clock: log.clock, tally: new RefusalTally(), node: 'node-1' };
  });

  async function records(): Promise<AuditRecord[]> {
    await log.advance(database);
    const entries = await database.read(({ audit }) => audit.entries(0, 1000));
    return entries.map((entry) => parseAuditRecord(entry.canon));
  }

  async function refuse(caller: Caller, code: ErrorCode = 'E_UNAUTHENTICATED'): Promise<void> {
    await recordRefusal(ports, { caller, code, operationId: 'listKeys', requestId: 'req-1' });
  }

  it('a refusal of a known caller is an event at once', async () => {
    await refuse(person, 'E_FORBIDDEN');
    const [record] = await records();
    expect(record).to.deep.include({
      act: 'access.denied',
      out: 'denied',
      code: 'E_FORBIDDEN',
      det: { operation: 'listKeys' },
    });
    expect(record!.actor).to.deep.include({ t: 'person', id: 'p-1' });
    expect(record!.subj[0]).to.deep.include({ t: 'person', tag: 'p-1' });
  });

  it('refusals of strangers are one event for each source and minute, with the count', async () => {
    for (let call = 0; call < 50; call += 1) await refuse({ type: 'anonymous', source: `10.0.0.${call % 2}` });
    expect(await database.read(({ audit }) => audit.written())).to.equal(0);
    expect(await writeRefusalCounts(ports)).to.equal(0);
    log.clock.advance(60);
    await refuse({ type: 'anonymous', source: '10.0.0.0' });
    expect(await writeRefusalCounts(ports)).to.equal(2);
    expect(await writeRefusalCounts(ports)).to.equal(0);
    expect(await writeRefusalCounts(ports, true)).to.equal(1);
    const found = await records();
    expect(found.map((record) => record.det['count'])).to.deep.equal([25, 25, 1]);
    expect(found[0]).to.deep.include({ act: 'access.refused', out: 'denied', code: 'E_UNAUTHENTICATED' });
    expect(found[0]!.det['minute']).to.equal('2026-11-23T11:15:00Z');
    expect(JSON.stringify(found)).not.to.include('10.0.0');
    expect(await fixture.sql('select distinct value from audit_opening order by value')).to.have.length(2);
  });

  it('a flood from many sources is no flood of events', async () => {
    for (let call = 0; call < 2_000; call += 1)
      await refuse({ type: 'anonymous', source: `10.0.${call % 250}.${call % 7}.${call}` });
    const counts = ports.tally.completed(new Date(log.clock.now().getTime() + 60_000));
    expect(counts).to.have.length(501);
    expect(counts.reduce((sum, { count }) => sum + count, 0)).to.equal(2_000);
  });

  it('a count that could not be written is not forgotten', async () => {
    await refuse({ type: 'anonymous', source: '10.0.0.1' });
    log.clock.advance(60);
    const broken = { ...ports, database: { transaction: () => Promise.reject(new KmcError('E_STORAGE', 'gone')) } };
    await refusal('E_STORAGE', writeRefusalCounts(broken));
    expect(await writeRefusalCounts(ports)).to.equal(1);
  });

  describe('an audited act', () => {
    const attempt = {
      action: 'device.suspend' as const,
      subjects: [{ type: 'device' as const, id: 'dev-1' }],
      actor: { type: 'person' as const, id: 'p-1' },
      source: { node: 'node-1' },
      detail: { reason: 'lost' },
    };

    function run(error: unknown): Promise<void> {
      return audited({ database, clock: log.clock }, attempt, () =>
        database.transaction(async (tx) => {
          await tx.audit.append(
            deviceEvent('dev-1', { id: 'ev-success', action: 'device.suspend', detail: {} }),
            log.clock.now(),
          );
          if (error !== undefined) throw error;
        }),
      );
    }

    it('that succeeds has the event of its own transaction only', async () => {
      await run(undefined);
      expect((await records()).map((record) => record.id)).to.deep.equal(['ev-success']);
    });

    it('that fails leaves nothing but the event of its failure, with the code', async () => {
      const cases: [unknown, string, string][] = [
        [new KmcError('E_STATE', 'no'), 'failure', 'E_STATE'],
        [new KmcError('E_FORBIDDEN', 'no'), 'denied', 'E_FORBIDDEN'],
        [new TypeError('defect'), 'failure', 'E_INTERNAL'],
      ];
      for (const [error] of cases) expect(await run(error).catch((thrown: unknown) => thrown)).to.equal(error);
      const found = await records();
      expect(found.map(({ out, code }) => [out, code])).to.deep.equal(cases.map(([, out, code]) => [out, code]));
      expect(found[0]).to.deep.include({ act: 'device.suspend', det: { reason: 'lost' } });
    });

    it('that a sealed service refuses is recorded as a denial', async () => {
      await run(undefined);
      await log.advance(database);
      log.keystore.sealed = true;
      await refusal(
        'E_SEALED',
        audited({ database, clock: log.clock }, attempt, () => Promise.reject(new KmcError('E_SEALED', 'sealed'))),
      );
      const last = (await records()).at(-1);
      expect(last).to.deep.include({
        act: 'access.denied',
        out: 'denied',
        code: 'E_SEALED',
        det: { operation: 'device.suspend' },
      });
    });

    it('whose failure cannot be recorded fails with E_AUDIT, and with its own error when the database is the failure', async () => {
      const broken = {
        database: { transaction: () => Promise.reject(new KmcError('E_STORAGE', 'gone', { fatal: true })) },
        clock: log.clock,
      };
      const work = (code: ErrorCode) => () => Promise.reject(new KmcError(code, 'no'));
      expect((await refusal('E_AUDIT', audited(broken, attempt, work('E_STATE')))).fatal).to.equal(true);
      await refusal('E_STORAGE', audited(broken, attempt, work('E_STORAGE')));
    });
  });
});
