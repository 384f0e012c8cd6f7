import { cpSync, readdirSync, rmSync } from 'node:fs';
import { expect } from 'chai';
import { parseNote, verifyNote } from '../../../../src/domain/audit/checkpoint.ts';
import { checkAuditLog } from '../../../../src/flows/audit/log/check-audit-log.ts';
import { sequenceAuditEvents } from '../../../../src/flows/audit/events/sequence-audit-events.ts';
import { signCheckpoint, type SignCheckpointPorts } from '../../../../src/flows/audit/checkpoints/sign-checkpoint.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { refusal } from '../../../store/race.ts';
import { deviceEvent, makeLogKey, ORIGIN, TestLog } from '../test-log.ts';

forEachDatabase('signing checkpoints', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
  });

  async function grow(events: number): Promise<void> {
    for (let event = 0; event < events; event += 1) await log.append(database, deviceEvent(`dev-${event % 3}`));
    await sequenceAuditEvents(log.ports(database));
    log.clock.advance(1);
  }

  async function sign(given: Partial<SignCheckpointPorts> = {}): ReturnType<typeof signCheckpoint> {
    return await signCheckpoint({ ...log.ports(database), ...given }, log.signer);
  }

  /** Past the product and its triggers: what somebody with rights on the database can do. */
  async function alter(table: string, statement: string): Promise<void> {
    if (fixture.engine === 'postgresql') {
      await fixture.sql(`alter table ${table} disable trigger user`);
      await fixture.sql(statement);
      return;
    }
    await fixture.sql(`drop trigger ${table}_kept`);
    await fixture.sql(`drop trigger ${table}_unchanged`);
    await fixture.sql('PRAGMA foreign_keys = OFF');
    await fixture.sql(statement);
  }

  async function newest(): Promise<string | undefined> {
    return await database.read(async ({ audit }) => (await audit.newestCheckpoint())?.note);
  }

  it('signs the tree with its size, root and time, and publishes the note', async () => {
    await grow(5);
    const { outcome, checkpoint } = await sign();
    expect(outcome).to.equal('signed');
    const note = parseNote(checkpoint!.note);
    expect(note.checkpoint).to.deep.include({ origin: ORIGIN, size: 5 });
    const key = { name: ORIGIN, signer: 'log' as const, spki: log.logKey.key.spki };
    expect(verifyNote(note, key)?.time).to.equal(Math.floor(log.clock.now().getTime() / 1000));
    expect(await newest()).to.equal(checkpoint!.note);
  });

  it('signs again only for something new, at most once a second, or after ten quiet minutes', async () => {
    expect((await sign()).outcome).to.equal('current');
    await grow(1);
    expect((await sign()).outcome).to.equal('signed');
    expect((await sign()).outcome).to.equal('current');
    await log.append(database, deviceEvent('dev-1'));
    await sequenceAuditEvents(log.ports(database));
    expect((await sign()).outcome).to.equal('current');
    log.clock.advance(1);
    expect((await sign()).outcome).to.equal('signed');
    log.clock.advance(599);
    expect((await sign()).outcome).to.equal('current');
    log.clock.advance(1);
    expect((await sign()).outcome).to.equal('signed');
    await log.append(database, deviceEvent('dev-1'));
    log.clock.advance(700);
    expect((await sign()).outcome, 'no heartbeat over waiting events').to.equal('current');
  });

  it('a clock that went back stops the signing', async () => {
    await grow(1);
    await sign();
    log.clock.advance(-301);
    await refusal('E_TIME', sign());
  });

  it('refuses a log that is smaller than what was signed: the database was set back', async () => {
    await grow(4);
    await sign();
    await alter('audit_leaf', 'delete from audit_leaf where idx >= 2');
    expect((await refusal('E_AUDIT', sign())).fatal).to.equal(true);
  });

  it('refuses a log in which one signed leaf was exchanged', async () => {
    await grow(4);
    await sign();
    await alter('audit_leaf', `update audit_leaf set leaf = (select leaf from audit_leaf where idx = 1) where idx = 2`);
    log.clock.advance(1);
    expect((await refusal('E_AUDIT', sign())).fatal).to.equal(true);
  });

  it('refuses tiles that do not give the root of the leaves', async function growTile() {
    this.timeout(20_000);
    await database.transaction(async (tx) => {
      for (let event = 0; event < 256; event += 1)
        await tx.audit.append(deviceEvent(`dev-${event % 9}`), log.clock.now());
    });
    await grow(1);
    const zeros = fixture.engine === 'sqlite' ? 'zeroblob(32)' : `decode(repeat('00', 32), 'hex')`;
    await alter('audit_tile', `update audit_tile set root = ${zeros}`);
    // The root of a full tile is read from the tile itself, so altered hashes are what counts.
    const hashes = fixture.engine === 'sqlite' ? 'zeroblob(8192)' : `decode(repeat('00', 8192), 'hex')`;
    await fixture.sql(`update audit_tile set hashes = ${hashes}`);
    expect((await refusal('E_AUDIT', sign())).fatal).to.equal(true);
    expect(await newest()).to.equal(undefined);
  });

  it('refuses when its own memory is missing, older than what is published, damaged, or of another key', async () => {
    await grow(1);
    await sign();
    const copy = `${log.folder}-copy`;
    cpSync(log.folder, copy, { recursive: true });
    await grow(1);
    await sign();
    const put = (folder: string | undefined): void => {
      for (const name of readdirSync(log.folder)) rmSync(`${log.folder}/${name}`);
      if (folder !== undefined) cpSync(folder, log.folder, { recursive: true });
    };
    put(copy);
    expect((await refusal('E_AUDIT', sign())).fatal, 'older').to.equal(true);
    put(undefined);
    expect((await refusal('E_AUDIT', sign())).fatal, 'missing').to.equal(true);
    rmSync(copy, { recursive: true });
  });

  it('refuses to go on under another key with the memory of the first', async () => {
    await grow(1);
    await sign();
    const { key } = await makeLogKey();
    await refusal('E_SIGNATURE', signCheckpoint(log.ports(database), { origin: ORIGIN, key })).catch(async () => {
      await refusal('E_AUDIT', signCheckpoint(log.ports(database), { origin: ORIGIN, key }));
    });
  });

  it('of two signers with one memory, one wins and the other stops', async () => {
    await grow(2);
    const results = await Promise.allSettled([sign(), sign(), sign()]);
    const notes = await database.read(({ audit }) => audit.checkpointsAfter(0, 10));
    expect(notes).to.have.length(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).to.include({ code: 'E_AUDIT', fatal: true });
    }
  });

  type Fault = (work: () => Promise<void>) => Promise<void>;
  const faults: [string, Fault][] = [
    ['fails and does not persist', () => Promise.reject(new Error('cut'))],
    [
      'persists and its answer is lost',
      async (work) => {
        await work();
        throw new Error('cut');
      },
    ],
  ];
  for (const [how, fault] of faults) {
    it(`recovers when the write of its memory ${how}`, async () => {
      await grow(3);
      const memory = signerState();
      const failing = {
        ...memory,
        replace: (...given: Parameters<typeof memory.replace>) => fault(() => memory.replace(...given)),
      };
      expect(await sign({ signerState: failing }).catch((error: Error) => error.message)).to.equal('cut');
      expect(await newest(), 'nothing was let out').to.equal(undefined);
      await recover();
    });

    it(`recovers when the publication ${how}`, async () => {
      await grow(3);
      const { auditLog } = log.ports(database);
      const publish = (checkpoint: Parameters<typeof auditLog.publish>[0]): Promise<void> =>
        fault(() => auditLog.publish(checkpoint));
      expect(await sign({ auditLog: { publish } }).catch((error: Error) => error.message)).to.equal('cut');
      const kept = (await signerState().load())?.note;
      await recover();
      const notes = await database.read(({ audit }) => audit.checkpointsAfter(0, 10));
      expect(notes[0]?.note, 'the kept note is published, not made anew').to.equal(kept);
    });
  }

  function signerState(): SignCheckpointPorts['signerState'] {
    return log.ports(database).signerState;
  }

  async function recover(): Promise<void> {
    await sign();
    await grow(2);
    await sign();
    const trust = { policy: log.policy, logSpki: log.logKey.key.spki, validity: log.validity };
    const { report, ok } = await checkAuditLog({ database }, trust);
    expect(report.findings).to.deep.equal([]);
    expect(ok).to.equal(true);
    expect(parseNote((await signerState().load())!.note).checkpoint.size).to.equal(5);
  }
});
