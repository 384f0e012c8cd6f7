/**
 * The tamper matrix of the audit log (audit-log 3.13): every row is done to a real database, or to a copy as an auditor
 * has it, and found by both verifiers with the code of the row. Rows 18 to 22 for histories: prove-history.test.ts.
 */
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import smCrypto from 'sm-crypto';
import { logCopy } from '../../src/cli/audit-copy.ts';
import { createAuditFolder } from '../../src/cli/audit-folder.ts';
import { runAuditVerify } from '../../src/cli/audit-verify.ts';
import { hmacSm3, sm3 } from '../../src/crypto/gm/sm3.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { checkpointMessage, encodeNote, noteKeyId, parseNote } from '../../src/domain/audit/checkpoint.ts';
import { formatAuditPolicy } from '../../src/domain/audit/policy.ts';
import { leafHash, rootOfLeaves } from '../../src/domain/audit/tree.ts';
import { signCheckpoint } from '../../src/flows/audit/checkpoints/sign-checkpoint.ts';
import { checkAuditLog } from '../../src/flows/audit/log/check-audit-log.ts';
import { exportAudit } from '../../src/flows/audit/pulls/export-audit.ts';
import { ownAuditSource } from '../../src/flows/audit/pulls/own-audit-source.ts';
import { trackReceipts } from '../../src/flows/audit/receipts/track-receipts.ts';
import type { KmcDatabase } from '../../src/store/database.ts';
import { reportText } from '../../src/verifier/report.ts';
import { verifyLog, type LogOptions } from '../../src/verifier/verify-log.ts';
import { EventWriter, signNote, writeExport, type ExportInput } from '../cli/audit-export.ts';
import { deviceEvent, logKey, makeLogKey, ORIGIN, selfSigned, TestLog, type LogKey } from '../flows/audit/test-log.ts';
import { forEachDatabase } from '../store/databases.ts';
import { refusal } from '../store/race.ts';

const TABLES = ['audit_event', 'audit_event_subject', 'audit_leaf', 'audit_checkpoint'];

interface Expected {
  readonly pinned?: LogOptions['pinned'];
  readonly policy?: string;
  /** Where two contradicting notes must have been written down. */
  readonly evidence?: string;
}

/** Both verifiers say the same, and say it with that code. */
async function expectExit(code: number, directory: string, { pinned, policy, evidence }: Expected = {}): Promise<void> {
  const report = verifyLog(logCopy(directory), {
    ...(pinned === undefined ? {} : { pinned }),
    ...(policy === undefined ? {} : { policy }),
  });
  expect(report.exitCode, reportText(report)).to.equal(code);
  const files = { stateFile: `${directory}.state`, policyFile: `${directory}.policy` };
  if (pinned !== undefined) writeFileSync(files.stateFile, JSON.stringify({ ...pinned, size: String(pinned.size) }));
  if (policy !== undefined) writeFileSync(files.policyFile, policy);
  const other = await runAuditVerify({
    directory,
    ...(pinned === undefined ? {} : { stateFile: files.stateFile }),
    ...(policy === undefined ? {} : { policyFile: files.policyFile }),
    ...(evidence === undefined ? {} : { evidenceFile: evidence }),
  });
  expect(other.exitCode, JSON.stringify(other.report.findings)).to.equal(code);
  const { coverage } = report;
  if (code === 0) expect(coverage.to, 'it never says yes to nothing').to.be.greaterThan(0);
  if (evidence !== undefined) {
    expect(readFileSync(evidence, 'utf8')).to.include(report.fork![0].split('\n')[2]);
    expect(readFileSync(evidence, 'utf8')).to.include(report.fork![1].split('\n')[2]);
  }
}

function rootOf(canons: readonly Buffer[]): string {
  return `sm3:${rootOfLeaves(
    sm3,
    canons.map((canon) => leafHash(sm3, canon)),
  ).toString('hex')}`;
}

forEachDatabase('tampering with the database of the audit log', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;
  let root: string;
  let copies = 0;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
    root = mkdtempSync(join(tmpdir(), 'kmc-matrix-'));
    await grow(9);
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  async function grow(events: number): Promise<void> {
    for (let event = 0; event < events; event += 1) await log.append(database, deviceEvent(`dev-${event % 3}`));
    await log.advance(database);
  }

  /** What somebody with all rights on the database does, past triggers and keys. */
  async function tamper(...statements: string[]): Promise<void> {
    for (const table of TABLES) {
      if (fixture.engine === 'postgresql') await fixture.sql(`alter table ${table} disable trigger all`);
      else for (const name of ['kept', 'unchanged']) await fixture.sql(`drop trigger if exists ${table}_${name}`);
    }
    if (fixture.engine === 'sqlite') await fixture.sql('PRAGMA foreign_keys = OFF');
    for (const statement of statements) await fixture.sql(statement);
  }

  async function replaceCanon(index: number, change: (canon: Buffer) => Buffer): Promise<void> {
    await tamper();
    const [entry] = await database.read(({ audit }) => audit.entries(index, 1));
    await fixture.sql('update audit_event set canon = ? where id = ?', [change(entry!.canon), entry!.eventId]);
  }

  async function copy(): Promise<string> {
    const directory = join(root, String((copies += 1)));
    const source = ownAuditSource({ database }, { certificate: log.logKey.certificate, policy: log.policy });
    await exportAudit({ source, folder: createAuditFolder(directory) });
    return directory;
  }

  async function signerRefuses(): Promise<void> {
    log.clock.advance(1);
    expect(await refusal('E_AUDIT', signCheckpoint(log.ports(database), log.signer))).to.have.property('fatal', true);
  }

  function check(): ReturnType<typeof checkAuditLog> {
    return checkAuditLog({ database }, { policy: log.policy, logSpki: log.logKey.key.spki, validity: log.validity });
  }

  it('untouched: 0', async () => {
    await expectExit(0, await copy());
    expect((await check()).ok).to.equal(true);
  });

  it('row 1: one bit of the octets of an event is flipped: 10', async () => {
    await replaceCanon(4, (canon) => {
      canon[30] = canon[30]! ^ 1;
      return canon;
    });
    await expectExit(10, await copy());
    expect((await check()).report.exitCode).to.equal(10);
  });

  it('row 2: a column is changed and the event is not: 0, and the check of the database tells', async () => {
    await tamper("update audit_event set act = 'key.destroy' where ord = (select min(ord) from audit_event)");
    await expectExit(0, await copy());
    const { misfiled, ok } = await check();
    expect([misfiled.length, ok]).to.deep.equal([1, false]);
  });

  it('row 3: an event is written anew with other spaces or another order of keys: 10', async () => {
    await replaceCanon(4, (canon) => Buffer.from(canon.toString().replace(':', ': ')));
    await expectExit(10, await copy());
    await replaceCanon(4, (canon) => {
      const entries = Object.entries(JSON.parse(canon.toString()) as object).reverse();
      return Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    });
    await expectExit(10, await copy());
  });

  it('row 4: a leaf is deleted and those behind it move up: 10, and the signer refuses', async () => {
    const [behind] = await database.read(({ audit }) => audit.entries(8, 1));
    await tamper(
      'delete from audit_leaf where idx = 4',
      'update audit_leaf set idx = idx + 100000 where idx > 4',
      'update audit_leaf set idx = idx - 100001 where idx > 100000',
    );
    // Something must stand at the end, or the copy would be shorter than its checkpoint.
    await fixture.sql(
      'insert into audit_event (id, ts, cls, act, ph, outcome, canon, leaf) select ?, ts, cls, act, ph, outcome, canon, leaf from audit_event where id = ?',
      ['ev-forged', behind!.eventId],
    );
    await fixture.sql('insert into audit_leaf (idx, event_id, leaf) values (?, ?, ?)', [8, 'ev-forged', behind!.leaf]);
    await expectExit(10, await copy());
    await signerRefuses();
  });

  it('row 5: two leaves change places: 10, and the signer refuses', async () => {
    await tamper(
      'update audit_leaf set idx = 100000 where idx = 3',
      'update audit_leaf set idx = 3 where idx = 4',
      'update audit_leaf set idx = 4 where idx = 100000',
    );
    await expectExit(10, await copy());
    await signerRefuses();
  });

  it('rows 6 and 11: the tail is cut off, or the whole database set back: 15, and the signer refuses', async () => {
    const before = parseNote((await database.read(({ audit }) => audit.newestCheckpoint()))!.note).checkpoint;
    await grow(6);
    const now = parseNote((await database.read(({ audit }) => audit.newestCheckpoint()))!.note).checkpoint;
    const canons = await database.read(({ audit }) => audit.entries(0, 100));
    await tamper(
      `delete from audit_leaf where idx >= ${before.size}`,
      `delete from audit_checkpoint where size > ${before.size}`,
    );
    const pinned = { origin: ORIGIN, size: now.size, root: `sm3:${now.root.toString('hex')}` };
    await expectExit(15, await copy(), { pinned });
    await signerRefuses();
    const cut = join(root, 'cut');
    const notes = [(await log.ports(database).signerState.load())!.note];
    const left = canons.slice(0, before.size).map(({ canon }) => canon);
    writeExport(cut, { canons: left, checkpoint: notes[0]!, notes, logKey: log.logKey });
    await expectExit(15, cut);
  });

  it('row 7: waiting events vanish before they are sealed: offline 0, and the process that wrote them raises the alarm', async () => {
    const tracked = trackReceipts(database, log.outstanding, log.clock);
    await tracked.transaction((tx) => tx.audit.append(deviceEvent('dev-9'), log.clock.now()));
    await tamper('delete from audit_pending');
    log.clock.advance(11);
    const { overdue } = await log.advance(database);
    expect(overdue.map(({ subjects }) => subjects[0]!.id)).to.deep.equal(['dev-9']);
    await expectExit(0, await copy());
  });

  it('row 8: an event is forged into the queue: it is put aside and never signed', async () => {
    await tamper();
    const forged = new EventWriter().add({ id: 'ev-forged' });
    const leaf = leafHash(sm3, forged);
    const mac = hmacSm3(Buffer.alloc(32, 7), leaf, Buffer.from('ev-forged'));
    await fixture.sql(
      "insert into audit_event (id, ts, cls, act, ph, outcome, canon, leaf, mac, mac_version) values ('ev-forged', '2026', 'device', 'device.update', 'single', 'success', ?, ?, ?, 1)",
      [forged, leaf, mac],
    );
    if (fixture.engine === 'postgresql') {
      await fixture.sql(
        "insert into audit_pending (ord, event_id) select ord, id from audit_event where id = 'ev-forged'",
      );
    }
    const { quarantined } = await log.advance(database);
    expect(quarantined).to.deep.equal([{ eventId: 'ev-forged', reason: 'mac-mismatch' }]);
    await expectExit(0, await copy());
  });

  it('row 9: an old event is put in again with its MAC: the database refuses, and a copy with it twice is 16', async () => {
    await tamper();
    let refused = 0;
    await fixture
      .sql(
        'insert into audit_event (id, ts, cls, act, ph, outcome, canon, leaf, mac, mac_version) select id, ts, cls, act, ph, outcome, canon, leaf, mac, mac_version from audit_event where ord = (select min(ord) from audit_event)',
      )
      .catch(() => {
        refused += 1;
      });
    expect(refused).to.equal(1);
    const canons = (await database.read(({ audit }) => audit.entries(0, 100))).map(({ canon }) => canon);
    const twice = [...canons, canons[3]!];
    const directory = join(root, 'twice');
    const time = Math.floor(log.clock.now().getTime() / 1000) + 1;
    const checkpoint = await signNote(twice, twice.length, time, log.logKey.key);
    writeExport(directory, { canons: twice, checkpoint, logKey: log.logKey });
    await expectExit(16, directory);
  });

  it('row 12: database and memory of the signer are set back: the pinned state tells a shorter log from another one', async () => {
    const before = parseNote((await database.read(({ audit }) => audit.newestCheckpoint()))!.note).checkpoint;
    const state = (await log.ports(database).signerState.load())!;
    await grow(3);
    const now = parseNote((await database.read(({ audit }) => audit.newestCheckpoint()))!.note).checkpoint;
    const pinned = { origin: ORIGIN, size: now.size, root: `sm3:${now.root.toString('hex')}` };
    const current = (await log.ports(database).signerState.load())!;
    await log.ports(database).signerState.replace(current, state);
    await tamper(
      `delete from audit_leaf where idx >= ${before.size}`,
      `delete from audit_checkpoint where size > ${before.size}`,
    );
    await expectExit(15, await copy(), { pinned });
    // It goes on as if nothing had been: the signer has nothing to tell it by, whoever pinned the other log has.
    if (fixture.engine === 'postgresql') {
      for (const table of TABLES) await fixture.sql(`alter table ${table} enable trigger all`);
    }
    await grow(5);
    await expectExit(12, await copy(), { pinned });
  });
});

describe('tampering with a copy of the audit log', () => {
  const root = mkdtempSync(join(tmpdir(), 'kmc-matrix-'));
  let key: LogKey;
  let writer: EventWriter;
  let notes: string[];
  let directory: string;
  let copies = 0;

  before(async function makeEvents() {
    key = await logKey();
    writer = new EventWriter();
    for (let event = 0; event < 300; event += 1) writer.add();
    notes = [];
    for (const size of [100, 300]) notes.push(await signNote(writer.canons, size, writer.timeOf(size), key.key));
  });

  beforeEach(() => {
    directory = join(root, String((copies += 1)));
    whole();
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  function whole(given: Partial<ExportInput> = {}): void {
    writeExport(directory, { canons: writer.canons, checkpoint: notes[1]!, notes, logKey: key, ...given });
  }

  /** A log that its own signer signed, whatever stands in it. */
  async function signed(log: EventWriter, given: Partial<ExportInput> = {}): Promise<void> {
    rmSync(directory, { recursive: true });
    const time = writer.timeOf(300);
    const checkpoint = await signNote(log.canons, log.canons.length, time, key.key);
    writeExport(directory, { canons: log.canons, checkpoint, logKey: key, ...given });
  }

  function short(events = 12): EventWriter {
    const log = new EventWriter();
    for (let event = 0; event < events; event += 1) log.add();
    return log;
  }

  function editFile(file: string, change: (content: Buffer) => Buffer | string): void {
    writeFileSync(join(directory, file), change(readFileSync(join(directory, file))));
  }

  it('untouched: 0', () => expectExit(0, directory));

  it('row 10: an event is dated an hour back: 17', async () => {
    const log = short();
    log.add({}, { at: new Date((log.timeOf(12) - 3600) * 1000) });
    const first = await signNote(log.canons, 12, log.timeOf(12), key.key);
    await signed(log, { notes: [first] });
    await expectExit(17, directory);
  });

  it('rows 13 and 14: two signed notes contradict each other, of one size or of two: 12 with both as proof', async () => {
    const forged = writer.canons.with(5, writer.canons[6]!);
    for (const size of [300, 150]) {
      const fork = await signNote(forged, size, writer.timeOf(size) + 1, key.key);
      rmSync(directory, { recursive: true });
      whole({ notes: [...notes, fork] });
      await expectExit(12, directory, { evidence: `${directory}.evidence` });
    }
  });

  it('row 15: the checkpoint is signed by another key, under another identity, or with ECDSA: 11', async () => {
    const other = await makeLogKey();
    whole2(await signNote(writer.canons, 300, writer.timeOf(300), other.key));
    await expectExit(11, directory);
    for (const how of ['ecdsa', 'identity'] as const) {
      const forged = await foreignNote(how);
      rmSync(directory, { recursive: true });
      whole({ checkpoint: forged.note, notes: [], logKey: forged.key });
      await expectExit(11, directory);
    }
    const good = await foreignNote('sm2');
    rmSync(directory, { recursive: true });
    whole({ checkpoint: good.note, notes: [], logKey: good.key });
    await expectExit(0, directory);
  });

  function whole2(checkpoint: string): void {
    rmSync(directory, { recursive: true });
    whole({ checkpoint });
  }

  /** A note by a key of OpenSSL's: as it must be, under another identity, or by the wrong algorithm on the right curve. */
  async function foreignNote(how: 'sm2' | 'identity' | 'ecdsa'): Promise<{ note: string; key: LogKey }> {
    const pair: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('ec', { namedCurve: 'SM2' });
    const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
    const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
    const scalar = pkcs8.subarray(pkcs8.indexOf(Buffer.from('0420', 'hex')) + 2).subarray(0, 32);
    const time = writer.timeOf(300);
    const merkleRoot = Buffer.from(rootOf(writer.canons).slice(4), 'hex');
    const checkpoint = { origin: ORIGIN, size: 300, root: merkleRoot };
    const message = checkpointMessage('log', time, checkpoint);
    const signature =
      how === 'ecdsa'
        ? createSign('sm3').update(message).sign({ key: pair.privateKey, dsaEncoding: 'ieee-p1363' })
        : Buffer.from(
            smCrypto.sm2.doSignature([...message], scalar.toString('hex'), {
              hash: true,
              userId: how === 'sm2' ? '1234567812345678' : 'somebody@else',
            }),
            'hex',
          );
    const line = { name: ORIGIN, keyId: noteKeyId({ name: ORIGIN, signer: 'log', spki }), time };
    const raw = signature.length === 64 ? signature : rawOf(signature);
    const note = encodeNote({ checkpoint, signatures: [{ ...line, signature: raw }] });
    return { note, key: await selfSigned(spki) };
  }

  /** r || s of a DER signature. */
  function rawOf(der: Buffer): Buffer {
    const r = der.subarray(4, 4 + der[3]!);
    const s = der.subarray(6 + der[3]!);
    return Buffer.concat([r, s].map((part) => Buffer.concat([Buffer.alloc(32), part]).subarray(-32)));
  }

  it('row 16: r and s are exchanged, r is 0, s is n, or DER stands where r || s belongs: 11', async () => {
    const n = Buffer.from('fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123', 'hex');
    const changes: ((raw: Buffer) => Buffer)[] = [
      (raw) => Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]),
      (raw) => Buffer.concat([Buffer.alloc(32), raw.subarray(32)]),
      (raw) => Buffer.concat([raw.subarray(0, 32), n]),
      (raw) =>
        Buffer.concat([
          Buffer.from('30440220', 'hex'),
          raw.subarray(0, 32),
          Buffer.from('0220', 'hex'),
          raw.subarray(32),
        ]),
    ];
    for (const change of changes) {
      const lines = notes[1]!.split('\n');
      const [dash, name, blob] = lines[4]!.split(' ');
      const octets = Buffer.from(blob!, 'base64');
      const altered = Buffer.concat([octets.subarray(0, 12), change(octets.subarray(12))]).toString('base64');
      whole2([...lines.slice(0, 4), `${dash} ${name} ${altered}`, ''].join('\n'));
      editFile('checkpoints.jsonl', () => '');
      await expectExit(11, directory);
    }
  });

  it('row 17: one key cosigns under two names: 13', async () => {
    const witness = await makeLogKey();
    const names = ['one.example.org/w', 'two.example.org/w'];
    const lines = await Promise.all(
      names.map(async (name) => {
        const note = await signNote(writer.canons, 300, writer.timeOf(300) + 1, witness.key, {
          name,
          signer: 'witness',
        });
        return `${note.split('\n')[4]!}\n`;
      }),
    );
    const policy = (quorum: number): string =>
      formatAuditPolicy({
        origin: ORIGIN,
        logKey: spkiSm3(key.key.spki),
        clockSkew: 5,
        maxDelay: 60,
        witnesses: names.map((name) => ({ name, signer: 'witness' as const, spki: witness.key.spki })),
        quorum,
      });
    whole2(`${notes[1]!}${lines.join('')}`);
    await expectExit(13, directory, { policy: policy(2) });
    await expectExit(0, directory, { policy: policy(1) });
  });

  it('rows 18, 19 and 21: the log leaves an event of a subject out, or one follows another that is not in the tree: 14', async () => {
    const gap = short();
    gap.canons.splice(4, 1);
    await signed(gap);
    await expectExit(14, directory);
    const linear = short();
    for (const [name, head] of linear.heads)
      linear.heads.set(name, { ...head, lastLeaf: sm3(Buffer.from('elsewhere')) });
    linear.add();
    await signed(linear);
    await expectExit(14, directory);
  });

  it('row 20: the index that the log stated is a lie: 14 when it is made anew', async () => {
    for (const [claim, code] of [
      [{}, 0],
      [{ entries: 7 }, 14],
      [{ size: 11 }, 14],
      [{ size: 99 }, 14],
    ] as const) {
      const log = short();
      const truth = await indexOf(log.canons);
      log.add({
        action: 'audit.index',
        subjects: [{ type: 'log', id: ORIGIN }],
        detail: { epoch: 1, rule: 'v1', size: 12, ...truth, ...claim },
      });
      await signed(log);
      expect(verifyLog(logCopy(directory)).exitCode).to.equal(0);
      expect(verifyLog(logCopy(directory), { rederiveIndex: true }).exitCode).to.equal(code);
    }
  });

  /** By hand: the entries of three devices and one person, each its places in turn. */
  async function indexOf(canons: readonly Buffer[]): Promise<{ entries: number; root: string }> {
    const places = new Map<string, number[]>();
    for (const [at, canon] of canons.entries()) {
      const { actor, subj } = JSON.parse(canon.toString()) as {
        actor: { t: string; id: string };
        subj: { t: string; tag: string }[];
      };
      for (const indexed of [`actor ${actor.t}:${actor.id}`, ...subj.map(({ t, tag }) => `${t} ${tag}`)])
        places.set(indexed, [...(places.get(indexed) ?? []), at]);
    }
    const leaves = [...places]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, list]) => {
        const inner = rootOfLeaves(
          sm3,
          list.map((at) => {
            const octets = Buffer.alloc(8);
            octets.writeUInt32BE(at, 4);
            return leafHash(sm3, octets);
          }),
        );
        return leafHash(sm3, Buffer.from(`${name}\n${list.length}\n${inner.toString('base64')}\n`));
      });
    return { entries: leaves.length, root: `sm3:${rootOfLeaves(sm3, leaves).toString('hex')}` };
  }

  it('row 23: a tile is altered, or a bundle: 10', async () => {
    editFile('tiles/0/000', (content) => content.fill(0, 64, 96));
    await expectExit(10, directory);
    whole();
    editFile('tiles/entries/000', (content) =>
      Buffer.from(content.toString('latin1').replace('success', 'failure'), 'latin1'),
    );
    await expectExit(10, directory);
  });

  it('row 24: a partial tile is of the wrong width, or octets stand behind a bundle: 16', async () => {
    editFile('tiles/0/001.p/44', (content) => content.subarray(32));
    await expectExit(16, directory);
    whole();
    editFile('tiles/entries/001.p/44', (content) => Buffer.concat([content, Buffer.alloc(2)]));
    await expectExit(16, directory);
  });

  it('row 25: a part of the copy is missing or cut: 3; one that stands twice: 10', async () => {
    for (const file of [
      'events.jsonl',
      'checkpoint.txt',
      'log.crt.pem',
      'policy.json',
      'tiles/0/000',
      'tiles/entries/000',
    ]) {
      whole();
      unlinkSync(join(directory, file));
      await expectExit(3, directory);
    }
    whole();
    editFile('events.jsonl', (content) => content.subarray(0, content.length - 20));
    await expectExit(3, directory);
    whole();
    const events = join(directory, 'events.jsonl');
    appendFileSync(events, readFileSync(events));
    await expectExit(10, directory);
  });

  it('row 26: an older valid checkpoint stands in the place of the newest: 15', async () => {
    renameSync(join(directory, 'checkpoints.jsonl'), join(directory, 'kept'));
    const older = writer.canons.slice(0, 100);
    rmSync(directory, { recursive: true });
    writeExport(directory, { canons: older, checkpoint: notes[0]!, notes: [notes[0]!], logKey: key });
    await expectExit(0, directory);
    await expectExit(15, directory, { pinned: { origin: ORIGIN, size: 300, root: rootOf(writer.canons) } });
  });

  it('row 29: a leaf comes from another log: 16', async () => {
    const log = short();
    log.add({}, { log: 'other.example.org/audit' });
    await signed(log);
    await expectExit(16, directory);
  });

  it('row 30: a repeated key, a float, a big integer, half a surrogate pair: 16', async () => {
    const changes: ((line: string) => string)[] = [
      (line) => line.replace('"v":1', '"v":1,"v":1'),
      (line) => line.replace('"v":1', '"v":1.0'),
      (line) => line.replace(/"n":\d+/, '"n":9007199254740993'),
      (line) => line.replace('"profile":"gateway"', '"profile":"\\ud800"'),
    ];
    for (const change of changes) {
      const log = short();
      log.canons[11] = Buffer.from(change(log.canons[11]!.toString()));
      await signed(log);
      await expectExit(16, directory);
    }
  });

  it('nothing is never good: 3', async () => {
    rmSync(directory, { recursive: true });
    whole({ canons: [], tiles: 'none', checkpoint: await signNote([], 0, writer.timeOf(0), key.key), notes: [] });
    await expectExit(3, directory);
  });
});
