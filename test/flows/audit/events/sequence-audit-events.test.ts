import { expect } from 'chai';
import { sm3 } from '../../../../src/crypto/gm/sm3.ts';
import { parseAuditRecord } from '../../../../src/domain/audit/record.ts';
import { tilesOf, TILE_WIDTH } from '../../../../src/domain/audit/tiles.ts';
import { rootOfLeaves } from '../../../../src/domain/audit/tree.ts';
import { readAuditTile } from '../../../../src/flows/audit/tree/read-audit-tile.ts';
import { sequenceAuditEvents } from '../../../../src/flows/audit/events/sequence-audit-events.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { deviceEvent, TestLog } from '../test-log.ts';

forEachDatabase('sequencing audit events', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
  });

  async function append(count: number): Promise<void> {
    for (let done = 0; done < count; done += 50) {
      await database.transaction(async (tx) => {
        for (let n = done; n < Math.min(count, done + 50); n += 1) {
          await tx.audit.append(deviceEvent(`dev-${n % 7}`, { id: `ev-${n}-${Math.floor(count)}` }), log.clock.now());
        }
      });
    }
  }

  it('gives dense indexes in the order of the chains and ends the waiting', async () => {
    await append(20);
    const batch = await sequenceAuditEvents(log.ports(database), 8);
    expect(batch).to.deep.equal({ first: 0, sequenced: 8, quarantined: [], blocked: false });
    await sequenceAuditEvents(log.ports(database), 8);
    expect(await sequenceAuditEvents(log.ports(database))).to.deep.include({ first: 16, sequenced: 4 });
    expect(await sequenceAuditEvents(log.ports(database))).to.deep.include({ first: 20, sequenced: 0 });
    const entries = await database.read(({ audit }) => audit.entries(0, 100));
    expect(entries.map((entry) => entry.index)).to.deep.equal([...entries.keys()]);
    const seen = new Map<string, number>();
    for (const { canon } of entries) {
      const [link] = parseAuditRecord(canon).subj;
      expect(link!.n).to.equal((seen.get(link!.tag) ?? -1) + 1);
      seen.set(link!.tag, link!.n);
    }
    expect(await database.read(({ audit }) => audit.pending())).to.equal(0);
  });

  it('stores the tiles of the tree, whatever the sizes of the batches', async function growTree() {
    this.timeout(60_000);
    await append(TILE_WIDTH * 3 + 11);
    for (const limit of [1, 300, 200, 5, 1000]) await sequenceAuditEvents(log.ports(database), limit);
    const size = TILE_WIDTH * 3 + 11;
    await database.read(async ({ audit }) => {
      expect(await audit.size()).to.equal(size);
      const leaves = await audit.leaves(0, 1000);
      for (const tile of tilesOf(size)) {
        const bytes = await readAuditTile(audit, tile);
        if (tile.level === 0) {
          expect(bytes).to.deep.equal(Buffer.concat(leaves.slice(tile.index * 256, tile.index * 256 + tile.width)));
        } else if (tile.level === 1) {
          const roots = [0, 1, 2].map((at) => rootOfLeaves(sm3, leaves.slice(at * 256, at * 256 + 256)));
          expect(bytes).to.deep.equal(Buffer.concat(roots));
        }
      }
    });
  });

  it('puts rows aside that somebody wrote into the database, and goes on', async () => {
    await append(3);
    await log.advance(database);
    const genuine = deviceEvent('dev-0');
    await log.append(database, genuine);
    const [row] = await fixture.sql('select canon, leaf from audit_event where id = ?', [genuine.id]);
    const forgeries: [string, Buffer, Buffer, Buffer | null, number | null][] = [
      ['forged-mac', row!['canon'] as Buffer, row!['leaf'] as Buffer, Buffer.alloc(32, 1), 1],
      ['forged-leaf', row!['canon'] as Buffer, Buffer.alloc(32, 9), Buffer.alloc(32, 1), 1],
      ['forged-bare', row!['canon'] as Buffer, row!['leaf'] as Buffer, null, null],
    ];
    for (const [id, ...values] of forgeries) {
      await fixture.sql(
        `insert into audit_event (id, ts, cls, act, ph, outcome, canon, leaf, mac, mac_version)
         values (?, 't', 'device', 'device.update', 'single', 'success', ?, ?, ?, ?)`,
        [id, ...values],
      );
    }
    const batch = await sequenceAuditEvents(log.ports(database));
    expect(batch).to.deep.equal({
      first: 3,
      sequenced: 1,
      quarantined: [
        { eventId: 'forged-mac', reason: 'mac-mismatch' },
        { eventId: 'forged-leaf', reason: 'leaf-mismatch' },
        { eventId: 'forged-bare', reason: 'mac-missing' },
      ],
      blocked: false,
    });
    expect(await database.read(({ audit }) => audit.quarantined())).to.equal(3);
  });

  it('waits with events whose MAC key is not there, and with all that come after', async () => {
    await append(2);
    await log.advance(database);
    await log.append(database, deviceEvent('dev-0'));
    log.keystore.sealed = true;
    await log.append(
      database,
      deviceEvent('', { action: 'instance.stop', subjects: [{ type: 'log', id: 'node-1' }], detail: {} }),
    );
    expect(await sequenceAuditEvents(log.ports(database))).to.deep.include({ sequenced: 0, blocked: true });
    log.keystore.sealed = false;
    expect(await sequenceAuditEvents(log.ports(database))).to.deep.include({ sequenced: 2, blocked: false });
  });

  it('leaves everything as it was when its transaction fails', async () => {
    await append(3);
    const failing = {
      ...log.ports(database),
      rowMac: { ...log.rowMac, verify: () => Promise.reject(new Error('cut')) },
    };
    expect(await sequenceAuditEvents(failing).catch((error: Error) => error.message)).to.equal('cut');
    expect(await database.read(({ audit }) => audit.size())).to.equal(0);
    expect(await sequenceAuditEvents(log.ports(database))).to.deep.include({ first: 0, sequenced: 3 });
  });
});
