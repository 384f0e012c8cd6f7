import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { parseAuditRecord } from '../../src/domain/audit/record.ts';
import { leafHash } from '../../src/domain/audit/tree.ts';
import { newId } from '../../src/domain/id.ts';
import type { KmcDatabase } from '../../src/store/database.ts';
import { deviceEvent, START, TestLog } from '../flows/audit/test-log.ts';
import { forEachDatabase } from './databases.ts';
import { refusal } from './race.ts';

forEachDatabase('audit events', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
  });

  it('an event is stored with its exact bytes, its leaf, its MAC and its place in the chain', async () => {
    const event = deviceEvent('dev-1');
    const receipt = await database.transaction((tx) => tx.audit.append(event, START));
    const row = await database.read(({ audit }) => audit.find(event.id));
    const record = parseAuditRecord(row!.canon);
    expect(row!.leaf).to.deep.equal(leafHash(sm3, row!.canon));
    expect(receipt).to.deep.equal({
      eventId: event.id,
      leaf: `sm3:${row!.leaf.toString('hex')}`,
      subjects: [{ type: 'device', id: 'dev-1', n: 0 }],
    });
    expect(record).to.deep.include({ id: event.id, act: 'device.update', cls: 'device', ts: START.toISOString() });
    expect(record.subj).to.deep.equal([{ n: 0, p: null, t: 'device', tag: 'dev-1' }]);
    const [stored] = await fixture.sql('select mac, mac_version, ts, act, cls, outcome from audit_event');
    expect((stored!['mac'] as Buffer).length).to.equal(32);
    expect(stored).to.deep.include({
      ts: START.toISOString(),
      act: 'device.update',
      cls: 'device',
      outcome: 'success',
    });
  });

  it('the chain of a subject counts from 0 and each event names the leaf of the one before', async () => {
    for (let n = 0; n < 3; n += 1) await log.append(database, deviceEvent('dev-1'));
    await log.append(database, deviceEvent('dev-2'));
    const history = await database.read(({ audit }) => audit.history('device', 'dev-1', 0, 10));
    const links = history.map((row) => parseAuditRecord(row.canon).subj[0]!);
    expect(links.map((link) => link.n)).to.deep.equal([0, 1, 2]);
    expect(links.map((link) => link.p)).to.deep.equal([
      null,
      ...history.slice(0, 2).map((row) => row.leaf.toString('base64url')),
    ]);
  });

  it('an event of several subjects stands in the chain of each, whatever their order', async () => {
    const [device, key] = [
      { type: 'device' as const, id: 'dev-1' },
      { type: 'key' as const, id: 'key-1', version: 4 },
    ];
    await log.append(database, deviceEvent('', { subjects: [key, device] }));
    await log.append(database, deviceEvent('', { subjects: [device, key] }));
    const history = await database.read(({ audit }) => audit.history('key', 'key-1', 1, 10));
    const [link, versioned] = parseAuditRecord(history[0]!.canon).subj;
    expect(link).to.deep.include({ t: 'device', tag: 'dev-1', n: 1 });
    expect(versioned).to.deep.include({ t: 'key', tag: 'key-1', n: 1, ver: 4 });
  });

  it('nothing of an event stays when its transaction is rolled back, and the chain has no gap', async () => {
    await log.append(database, deviceEvent('dev-1'));
    const aborted = database.transaction(async (tx) => {
      await tx.audit.append(deviceEvent('dev-1'), START);
      expect(tx.audit.receipts()).to.have.length(1);
      throw new Error('aborted');
    });
    expect(await aborted.catch((error: Error) => error.message)).to.equal('aborted');
    await log.append(database, deviceEvent('dev-1'));
    const history = await database.read(({ audit }) => audit.history('device', 'dev-1', 0, 10));
    expect(history.map((row) => parseAuditRecord(row.canon).subj[0]!.n)).to.deep.equal([0, 1]);
    expect(await database.read(({ audit }) => audit.written())).to.equal(2);
  });

  it('an event that does not fit the registry is refused, and its transaction with it', async () => {
    const cases: [string, ReturnType<typeof deviceEvent>][] = [
      ['/act', deviceEvent('dev-1', { action: 'device.explode' as 'device.update' })],
      ['/det/pin', deviceEvent('dev-1', { detail: { pin: '1234' } })],
      ['/det/count', deviceEvent('dev-1', { detail: { count: -1 } })],
      ['/subj', deviceEvent('dev-1', { subjects: [] })],
      [
        '/subj',
        deviceEvent('dev-1', {
          subjects: [
            { type: 'device', id: 'a' },
            { type: 'device', id: 'a' },
          ],
        }),
      ],
      ['/ref', deviceEvent('dev-1', { phase: 'result' })],
    ];
    for (const [pointer, event] of cases) {
      const error = await refusal('E_SCHEMA', log.append(database, event));
      expect(error.pointers[0]?.pointer).to.equal(pointer);
    }
    expect(await database.read(({ audit }) => audit.written())).to.equal(0);
  });

  it('one id cannot stand twice', async () => {
    const event = deviceEvent('dev-1');
    await log.append(database, event);
    await refusal('E_CONFLICT', log.append(database, event));
  });

  it('an address and other personal values stay outside of the log, as openings that can be erased', async () => {
    const event = deviceEvent('log', {
      action: 'access.refused',
      source: { node: 'node-1', address: '10.1.2.3' },
      detail: { count: 3 },
      committed: { from: '10.9.9.9' },
    });
    await log.append(database, event);
    const row = await database.read(({ audit }) => audit.find(event.id));
    expect(row!.canon.toString()).not.to.match(/10\.1\.2\.3|10\.9\.9\.9/);
    const openings = await fixture.sql('select field, value from audit_opening order by field');
    expect(openings).to.deep.equal([
      { field: 'det.from', value: '10.9.9.9' },
      { field: 'src.ip_c', value: '10.1.2.3' },
    ]);
    await fixture.sql('delete from audit_opening');
  });

  it('a sealed keystore records starting, unsealing and refusals only', async () => {
    await log.append(database, deviceEvent('dev-1'));
    await log.advance(database);
    log.keystore.sealed = true;
    await refusal('E_SEALED', log.append(database, deviceEvent('dev-1')));
    const event = deviceEvent('', {
      action: 'keystore.share',
      subjects: [{ type: 'keystore', id: 'service' }],
      detail: { share: 1 },
    });
    await log.append(database, event);
    const [row] = await fixture.sql("select mac from audit_event where act = 'keystore.share'");
    expect(row!['mac']).to.equal(null);
  });

  it('before the first event has its place, everything is recorded without a key: the first ceremony', async () => {
    log.keystore.sealed = true;
    await log.append(database, deviceEvent('dev-1'));
    await log.append(database, deviceEvent('dev-1'));
    expect(await database.read(({ audit }) => audit.pending())).to.equal(2);
  });

  it('a process that was opened without an audit log cannot append', async () => {
    await refusal('E_AUDIT', log.append(fixture.database, deviceEvent('dev-1')));
  });

  it('the database refuses to change or delete what was logged', async () => {
    await log.append(database, deviceEvent('dev-1'));
    await log.advance(database);
    const tables = ['audit_event', 'audit_event_subject', 'audit_leaf', 'audit_checkpoint'];
    const column: Record<string, string> = {
      audit_event: 'act',
      audit_event_subject: 'tag',
      audit_leaf: 'event_id',
      audit_checkpoint: 'note',
    };
    const statements = tables.flatMap((table) => [
      `delete from ${table}`,
      `update ${table} set ${column[table]!} = ${column[table]!}`,
      ...(fixture.engine === 'postgresql' ? [`truncate ${table} cascade`] : []),
    ]);
    for (const statement of statements) {
      const error = await fixture.sql(statement).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error, statement).to.be.instanceOf(Error);
      expect((error as Error).message).to.include('KMC E_AUDIT');
    }
  });

  it('a row that names an event which was never recorded cannot be committed', async () => {
    const change = database.transaction((tx) =>
      tx.blockedKeys.insert({ spkiSm3: 'sm3:x', reason: 'test', blockedAt: START, auditEvent: newId('ev') }),
    );
    await refusal('E_AUDIT', change);
  });
});

describe('the writers of the audit log', () => {
  it('are one: no other file of the product inserts an event or moves a chain', () => {
    const src = join(import.meta.dirname, '../../src');
    const writers = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('store/migrations/'))
      .filter((file) =>
        /(?:insert into|update|delete from)\s+audit_(?:event|event_subject|subject_head|pending)\b/i.test(
          readFileSync(join(src, file), 'utf8'),
        ),
      );
    expect(writers.sort()).to.deep.equal(['store/audit-events.ts', 'store/audit-log.ts']);
    // The sequencer ends the waiting of events; it writes none.
    expect(readFileSync(join(src, 'store/audit-log.ts'), 'utf8')).not.to.match(/insert into\s+audit_event\b/i);
  });
});
