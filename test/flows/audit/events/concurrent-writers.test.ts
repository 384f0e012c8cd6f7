import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { newId } from '../../../../src/domain/id.ts';
import { advanceAuditLog } from '../../../../src/flows/audit/log/advance-audit-log.ts';
import { checkAuditLog } from '../../../../src/flows/audit/log/check-audit-log.ts';
import { trackReceipts } from '../../../../src/flows/audit/receipts/track-receipts.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { deviceEvent, TestLog } from '../test-log.ts';

const WRITERS = 16;
const EVENTS_OF_EACH = 12;
const SUBJECTS = 6;

forEachDatabase('16 writers, aborts, and a sequencer beside them', (fixture) => {
  it('lose nothing: dense indexes, no gap in any chain, every receipt honoured', async function race() {
    this.timeout(60_000);
    const log = await TestLog.make();
    const database = await fixture.open({ audit: log.settings, connections: WRITERS });
    const tracked = trackReceipts(database, log.outstanding, log.clock);
    let committed = 0;
    let aborted = 0;

    async function write(writer: number): Promise<void> {
      for (let event = 0; event < EVENTS_OF_EACH; event += 1) {
        const aborts = (writer * 7 + event * 3) % 5 === 0;
        const ids = [newId('ev'), newId('ev')];
        const subjects = [
          { type: 'device' as const, id: `dev-${(writer + event) % SUBJECTS}` },
          { type: 'key' as const, id: `key-${(writer * event) % SUBJECTS}` },
        ];
        const work = tracked.transaction(async (tx) => {
          await tx.audit.append(deviceEvent('', { id: ids[0]!, subjects }), log.clock.now());
          if (event % 4 === 0) await tx.audit.append(deviceEvent('', { id: ids[1]!, subjects }), log.clock.now());
          await delay((writer + event) % 3);
          if (aborts) throw new Error('aborted');
          return event % 4 === 0 ? 2 : 1;
        });
        await work.then(
          (count) => (committed += count),
          (error: unknown) => {
            if (!(error instanceof Error) || error.message !== 'aborted') throw error;
            aborted += 1;
          },
        );
      }
    }

    const stop = new AbortController();
    const sequencer = (async () => {
      while (!stop.signal.aborted) {
        log.clock.advance(1);
        await advanceAuditLog(log.ports(database), log.signer);
      }
    })();
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    stop.abort();
    await sequencer;
    const progress = await log.advance(database);

    expect(aborted).to.be.greaterThan(0);
    expect(progress).to.deep.include({ blocked: false, quarantined: [], overdue: [] });
    expect(log.outstanding.size).to.equal(0);
    await expectWholeLog(database, log, committed);
  });

  it('of two sequencers at once one works and nothing is placed twice', async function race() {
    this.timeout(60_000);
    const log = await TestLog.make();
    const database = await fixture.open({ audit: log.settings });
    const other = await fixture.open({ audit: log.settings });
    for (let event = 0; event < 60; event += 1) await log.append(database, deviceEvent(`dev-${event % SUBJECTS}`));
    const rounds = Array.from({ length: 10 }, (_, at) =>
      advanceAuditLog(log.ports(at % 2 === 0 ? database : other), undefined),
    );
    const done = await Promise.all(rounds);
    expect(done.reduce((sum, round) => sum + round.sequenced, 0)).to.equal(60);
    await log.advance(database);
    await expectWholeLog(database, log, 60);
  });
});

async function expectWholeLog(database: KmcDatabase, log: TestLog, events: number): Promise<void> {
  const trust = { policy: log.policy, logSpki: log.logKey.key.spki, validity: log.validity };
  const { report, rows, ok } = await checkAuditLog({ database }, trust);
  expect(report.findings).to.deep.equal([]);
  expect(rows).to.deep.equal({ written: events, sequenced: events, pending: 0, quarantined: 0 });
  expect(report.coverage).to.deep.equal({ from: 0, to: events, of: events, unverifiedTail: 0 });
  expect(ok).to.equal(true);
}
