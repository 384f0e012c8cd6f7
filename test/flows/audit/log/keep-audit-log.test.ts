import { expect } from 'chai';
import { advanceAuditLog, type AuditLogProgress } from '../../../../src/flows/audit/log/advance-audit-log.ts';
import { createSoftwareEngine } from '../../../../src/crypto/software-engine.ts';
import { checkAuditLog } from '../../../../src/flows/audit/log/check-audit-log.ts';
import { checkSignedTree } from '../../../../src/flows/audit/checkpoints/check-signed-tree.ts';
import { keepAuditLog } from '../../../../src/flows/audit/log/keep-audit-log.ts';
import { trackReceipts } from '../../../../src/flows/audit/receipts/track-receipts.ts';
import { parseAuditRecord } from '../../../../src/domain/audit/record.ts';
import { KmcError } from '../../../../src/errors.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { refusal } from '../../../store/race.ts';
import { signNote } from '../../../cli/audit-export.ts';
import { deviceEvent, makeLogKey, TestLog } from '../test-log.ts';

forEachDatabase('keeping the audit log', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
  });

  it('runs rounds until it is told to stop, and goes on after trouble that passes', async () => {
    await log.append(database, deviceEvent('dev-1'));
    const stop = new AbortController();
    const rounds: AuditLogProgress[] = [];
    const troubles: string[] = [];
    let broken = true;
    const ports = { ...log.ports(database) };
    const { auditLog } = ports;
    ports.auditLog = {
      publish: (checkpoint) => auditLog.publish(checkpoint),
      sequence(work) {
        if (!broken) return auditLog.sequence(work);
        broken = false;
        return Promise.reject(new KmcError('E_STORAGE', 'busy'));
      },
    };
    await keepAuditLog(ports, {
      signer: () => Promise.resolve(log.signer),
      report(progress) {
        rounds.push(progress);
        stop.abort();
      },
      trouble: (error) => troubles.push(error.code),
      signal: stop.signal,
    });
    expect(troubles).to.deep.equal(['E_STORAGE']);
    expect(rounds).to.have.length(1);
    expect(rounds[0]).to.deep.include({ sequenced: 1, overdue: [] });
    expect(rounds[0]!.checkpoint?.size).to.equal(1);
  });

  it('goes on when the keystore is sealed in the middle of a round', async () => {
    const { signer } = log;
    const other = createSoftwareEngine();
    const gone = await other.generateKeyPair('SM2');
    other.destroyKey(gone);
    await log.append(database, deviceEvent('dev-1'));
    const stop = new AbortController();
    const troubles: string[] = [];
    const keys = [{ ...signer, key: gone }, undefined];
    await keepAuditLog(log.ports(database), {
      signer: () => Promise.resolve(keys.shift()),
      report: () => stop.abort(),
      trouble: (error) => troubles.push(error.code),
      signal: stop.signal,
    });
    expect(troubles).to.deep.equal(['E_KEY']);
  });

  it('ends with a fault that does not pass', async () => {
    const ports = {
      ...log.ports(database),
      signerState: {
        load: () => Promise.reject(new KmcError('E_AUDIT', 'fork', { fatal: true })),
        replace: () => Promise.resolve(),
      },
    };
    const keeper = {
      signer: () => Promise.resolve(log.signer),
      report: () => undefined,
      trouble: () => undefined,
      signal: new AbortController().signal,
    };
    await refusal('E_AUDIT', keepAuditLog(ports, keeper));
  });

  it('a leaf that was taken away under whole tiles is found before the first signature', async function alter() {
    this.timeout(20_000);
    await database.transaction(async (tx) => {
      for (let event = 0; event < 300; event += 1)
        await tx.audit.append(deviceEvent(`dev-${event % 9}`), log.clock.now());
    });
    await log.advance(database);
    const { signerState } = log.ports(database);
    await checkSignedTree({ database, signerState });
    if (fixture.engine === 'postgresql') await fixture.sql('alter table audit_leaf disable trigger user');
    else await fixture.sql('drop trigger audit_leaf_unchanged');
    await fixture.sql('update audit_leaf set leaf = (select leaf from audit_leaf where idx = 4) where idx = 5');
    log.clock.advance(1);
    expect((await log.advance(database)).checkpoint?.size, 'tiles hide it').to.equal(300);
    expect((await refusal('E_AUDIT', checkSignedTree({ database, signerState }))).fatal).to.equal(true);
  });

  it('new events name the newest checkpoint that was verified before them', async () => {
    await log.append(database, deviceEvent('dev-1'));
    await log.advance(database);
    const started = log.clock.now();
    const event = deviceEvent('dev-1');
    await log.append(database, event);
    await log.advance(database);
    const late = deviceEvent('dev-1');
    await database.transaction((tx) => tx.audit.append(late, started));
    const root = log.sight.newest(started)!.root.toString('base64url');
    for (const { id } of [event, late]) {
      const row = await database.read(({ audit }) => audit.find(id));
      expect(parseAuditRecord(row!.canon).cp).to.deep.equal({ n: 1, r: root });
    }
    expect(log.sight.newest(log.clock.now())!.size).to.equal(2);
    expect(log.sight.newest(new Date(0))).to.equal(undefined);
  });

  it('a published checkpoint that the log did not sign stops everything', async () => {
    await log.append(database, deviceEvent('dev-1'));
    await log.advance(database);
    const { key } = await makeLogKey();
    const time = Math.floor(log.clock.now().getTime() / 1000) + 5;
    const note = await signNote([], 1, time, key);
    await database.auditLog.publish({ size: 1, time, note });
    expect((await refusal('E_AUDIT', advanceAuditLog(log.ports(database), undefined))).fatal).to.equal(true);
    expect((await refusal('E_AUDIT', advanceAuditLog(log.ports(database), log.signer))).fatal).to.equal(true);
  });

  it('a committed event that somebody deletes before it has its place is missed', async () => {
    const tracked = trackReceipts(database, log.outstanding, log.clock);
    const event = deviceEvent('dev-1');
    await tracked.transaction((tx) => tx.audit.append(event, log.clock.now()));
    await tracked.transaction((tx) => tx.audit.append(deviceEvent('dev-2'), log.clock.now()));
    await fixture.sql('delete from audit_pending where event_id = ?', [event.id]);
    await log.advance(database);
    expect((await log.advance(database)).overdue).to.deep.equal([]);
    log.clock.advance(11);
    const { overdue } = await log.advance(database);
    expect(overdue.map((receipt) => receipt.eventId)).to.deep.equal([event.id]);
    const trust = { policy: log.policy, logSpki: log.logKey.key.spki, validity: log.validity };
    expect((await checkAuditLog({ database }, trust)).ok).to.equal(false);
  });

  it('a transaction that is rolled back leaves no receipt behind', async () => {
    const tracked = trackReceipts(database, log.outstanding, log.clock);
    const failed = tracked.transaction(async (tx) => {
      await tx.audit.append(deviceEvent('dev-1'), log.clock.now());
      throw new Error('aborted');
    });
    await failed.catch(() => undefined);
    expect(log.outstanding.size).to.equal(0);
  });

  it('while the keystore is sealed nothing is signed, and afterwards everything is', async () => {
    await log.append(database, deviceEvent('dev-1'));
    await log.advance(database);
    log.keystore.sealed = true;
    const unseal = {
      action: 'keystore.unseal' as const,
      subjects: [{ type: 'keystore' as const, id: 'service' }],
      detail: { shares: 3 },
    };
    for (let share = 0; share < 3; share += 1) await log.append(database, deviceEvent('', unseal));
    log.keystore.sealed = false;
    const progress = await log.advance(database);
    expect(progress).to.deep.include({ sequenced: 3, quarantined: [] });
    expect(progress.checkpoint?.size).to.equal(4);
  });
});
