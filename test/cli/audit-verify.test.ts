import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  auditReportText,
  runAuditVerify,
  type AuditVerifyOptions,
  type AuditVerifyResult,
} from '../../src/cli/audit-verify.ts';
import { formatAuditPolicy } from '../../src/domain/audit/policy.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { refusal } from '../store/race.ts';
import { logKey, makeLogKey, ORIGIN, type LogKey } from '../flows/audit/test-log.ts';
import { EventWriter, signNote, writeExport } from './audit-export.ts';

const EVENTS = 300;

describe('kmc audit verify', function suite() {
  this.timeout(30_000);
  const root = mkdtempSync(join(tmpdir(), 'kmc-audit-'));
  const whole = join(root, 'whole');
  let key: LogKey;
  let writer: EventWriter;
  let notes: string[];
  let directory: string;
  let copies = 0;

  before(async function makeExport() {
    key = await logKey();
    writer = new EventWriter();
    for (let event = 0; event < EVENTS; event += 1) writer.add();
    notes = [];
    for (const size of [100, 200, EVENTS])
      notes.push(await signNote(writer.canons, size, writer.timeOf(size - 1) + 1, key.key));
    writeExport(whole, { canons: writer.canons, checkpoint: notes[2]!, notes, logKey: key });
  });

  beforeEach(() => {
    directory = join(root, String((copies += 1)));
    cpSync(whole, directory, { recursive: true });
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  async function verify(given: Partial<AuditVerifyOptions> = {}): Promise<AuditVerifyResult> {
    return await runAuditVerify({ directory, ...given });
  }

  async function expectExit(code: number, given: Partial<AuditVerifyOptions> = {}): Promise<AuditVerifyResult> {
    const result = await verify(given);
    expect(result.exitCode, auditReportText(result.report)).to.equal(code);
    return result;
  }

  function edit(file: string, change: (content: Buffer) => Buffer | string): void {
    writeFileSync(join(directory, file), change(readFileSync(join(directory, file))));
  }

  function editLines(change: (lines: string[]) => string[]): void {
    edit('events.jsonl', (content) =>
      change(content.toString().split('\n').slice(0, -1))
        .map((line) => `${line}\n`)
        .join(''),
    );
  }

  /** Writes an export that the log itself signed, whatever it holds. */
  async function signed(
    canons: readonly Buffer[],
    given: Partial<Parameters<typeof writeExport>[1]> = {},
  ): Promise<void> {
    rmSync(directory, { recursive: true });
    const checkpoint = await signNote(canons, canons.length, writer.timeOf(EVENTS), key.key);
    writeExport(directory, { canons, checkpoint, logKey: key, ...given });
  }

  const LOG = [{ type: 'log', id: ORIGIN }] as const;

  function shortLog(events = 12): EventWriter {
    const short = new EventWriter();
    for (let event = 0; event < events; event += 1) short.add();
    return short;
  }

  describe('a whole log', () => {
    it('is good, and what was verified is said', async () => {
      const { report } = await expectExit(0);
      expect(report.findings).to.deep.equal([]);
      expect(report.coverage).to.deep.equal({ from: 0, to: EVENTS, of: EVENTS, unverifiedTail: 0 });
      expect(report).to.deep.include({
        origin: ORIGIN,
        subjects: 3,
        notes: 4,
        tiles: 5,
        logKey: spkiSm3(key.key.spki),
      });
      expect(auditReportText(report)).to.include(`verified    events [0, ${EVENTS}) of ${EVENTS}`);
      expect(report.warnings.join()).to.include('the log key come from the folder itself');
    });

    it('is good under the auditor’s own policy, and bad under a policy that names another key or log', async () => {
      const policyFile = join(directory, 'own.json');
      const policy = {
        origin: ORIGIN,
        logKey: spkiSm3(key.key.spki),
        clockSkew: 5,
        maxDelay: 60,
        witnesses: [],
        quorum: 0,
      };
      writeFileSync(policyFile, formatAuditPolicy(policy));
      const { report } = await expectExit(0, { policyFile });
      expect(report.warnings.join()).not.to.include('folder itself');
      writeFileSync(policyFile, formatAuditPolicy({ ...policy, logKey: `sm3:${'0'.repeat(64)}` }));
      await expectExit(11, { policyFile });
      writeFileSync(policyFile, formatAuditPolicy({ ...policy, origin: 'other.example.org/log' }));
      await expectExit(11, { policyFile });
      writeFileSync(policyFile, '{}');
      await refusal('E_USAGE', verify({ policyFile }));
    });

    it('continues the state of the run before', async () => {
      const stateFile = join(directory, 'state.json');
      expect((await expectExit(0, { stateFile })).report.warnings.join()).to.include('first run');
      expect((await expectExit(0, { stateFile })).report.warnings.join()).not.to.include('first run');
      writeFileSync(stateFile, 'x');
      await refusal('E_USAGE', verify({ stateFile }));
    });
  });

  describe('content', () => {
    it('no flipped bit of any event, tile or note passes', async () => {
      const short = shortLog(9);
      const checkpoint = await signNote(short.canons, 9, writer.timeOf(9), key.key);
      for (const file of ['events.jsonl', 'checkpoint.txt', 'tiles/0/000.p/9', 'tiles/entries/000.p/9']) {
        rmSync(directory, { recursive: true });
        writeExport(directory, { canons: short.canons, checkpoint, logKey: key });
        const content = readFileSync(join(directory, file));
        const step = Math.max(1, Math.floor(content.length / 30));
        for (let at = 0; at < content.length; at += step) {
          const altered = Buffer.from(content);
          altered[at] = altered[at]! ^ (1 << (at % 8));
          writeFileSync(join(directory, file), altered);
          const { exitCode, report } = await verify();
          expect(exitCode, `${file} octet ${at}: ${auditReportText(report)}`).to.be.oneOf([3, 10, 11, 16]);
        }
        writeFileSync(join(directory, file), content);
        await expectExit(0);
      }
    });

    it('an edited event is found and named (10)', async () => {
      editLines((lines) => lines.with(150, lines[150]!.replace('success', 'failure')));
      const { report } = await expectExit(10);
      expect(report.findings.some((finding) => finding.index === 150)).to.equal(true);
      expect(report.coverage.to).to.equal(0);
    });

    const edits: [string, (lines: string[]) => string[]][] = [
      ['an event written in another order of keys (10)', (lines) => lines.with(7, reordered(lines[7]!))],
      ['an event with a space more (10)', (lines) => lines.with(7, lines[7]!.replace(':', ': '))],
      ['a dropped event (10)', (lines) => lines.toSpliced(40, 1)],
      ['two events that changed places (10)', (lines) => lines.with(8, lines[9]!).with(9, lines[8]!)],
      ['an event that was put in twice (10)', (lines) => lines.toSpliced(9, 0, lines[8]!)],
      ['an event behind the signed ones (10)', (lines) => [...lines, lines[0]!]],
    ];
    for (const [what, change] of edits) {
      it(`${what} is found with and without tiles`, async () => {
        editLines(change);
        await expectExit(10);
        rmSync(join(directory, 'tiles'), { recursive: true });
        const { exitCode } = await verify();
        expect(exitCode).to.be.oneOf([10, 14]);
      });
    }

    it('a tile or a bundle that differs from the events is found (10)', async () => {
      edit('tiles/0/000', (content) => content.fill(0, 64, 96));
      expect((await expectExit(10)).report.findings[0]).to.deep.include({ index: 2 });
      cpSync(whole, directory, { recursive: true });
      edit('tiles/entries/000', (content) =>
        Buffer.from(content.toString('latin1').replace('success', 'failure'), 'latin1'),
      );
      await expectExit(10);
    });

    it('a tile of the wrong width, or octets behind the last entry, are malformed (16)', async () => {
      edit('tiles/0/001.p/44', (content) => content.subarray(32));
      await expectExit(16);
      cpSync(whole, directory, { recursive: true });
      edit('tiles/entries/001.p/44', (content) => Buffer.concat([content, Buffer.alloc(2)]));
      await expectExit(16);
    });
  });

  describe('missing input', () => {
    it('a cut copy of a whole tree cannot be decided (3)', async () => {
      editLines((lines) => lines.slice(0, -5));
      const { report } = await expectExit(3);
      expect(report.coverage).to.deep.equal({ from: 0, to: 0, of: EVENTS, unverifiedTail: EVENTS - 5 });
      cpSync(whole, directory, { recursive: true });
      edit('events.jsonl', (content) => content.subarray(0, content.length - 20));
      await expectExit(3);
    });

    it('a log that was cut back behind its checkpoint, tiles and all, was rolled back (15)', async () => {
      rmSync(directory, { recursive: true });
      const canons = writer.canons.slice(0, 120);
      writeExport(directory, { canons, checkpoint: notes[2]!, notes, logKey: key });
      await expectExit(15);
      rmSync(join(directory, 'tiles'), { recursive: true });
      await expectExit(15);
    });

    it('a folder that is not there is not found (5)', async () => {
      for (const name of ['nowhere', 'events.jsonl']) {
        await refusal('E_NOT_FOUND', runAuditVerify({ directory: join(root, name) }));
      }
    });

    it('nothing is never good: empty folder, empty files, an empty log, one file missing (3)', async () => {
      const empty = join(root, 'empty');
      mkdirSync(empty);
      await expectExit(3, { directory: empty });
      editLines(() => []);
      await expectExit(3);
      rmSync(directory, { recursive: true });
      writeExport(directory, { canons: [], checkpoint: await signNote([], 0, writer.timeOf(0), key.key), logKey: key });
      await expectExit(3);
      for (const file of ['events.jsonl', 'checkpoint.txt', 'log.crt.pem', 'policy.json', 'tiles/0/000']) {
        cpSync(whole, directory, { recursive: true });
        rmSync(join(directory, file));
        await expectExit(3);
      }
    });

    it('a policy file of the folder that cannot be read is told apart (1), a broken certificate is malformed (16)', async () => {
      edit('policy.json', () => '{"quorum":0}');
      await expectExit(1);
      cpSync(whole, directory, { recursive: true });
      edit('log.crt.pem', () => 'x');
      await expectExit(16);
    });
  });

  describe('checkpoints', () => {
    it('a checkpoint by an unknown key, or by the right name with another key, does not count (11)', async () => {
      const other = await makeLogKey();
      edit('checkpoint.txt', () => '');
      await expectExit(16);
      writeFileSync(
        join(directory, 'checkpoint.txt'),
        await signNote(writer.canons, EVENTS, writer.timeOf(EVENTS), other.key),
      );
      await expectExit(11);
    });

    it('only the SM2 signature r || s of the exact message counts (11)', async () => {
      const signatures: ((raw: Buffer) => Buffer)[] = [
        (raw) => Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]),
        (raw) => Buffer.concat([Buffer.alloc(32), raw.subarray(32)]),
        (raw) => Buffer.concat([raw.subarray(0, 32), Buffer.alloc(32, 0xff)]),
        (raw) => Buffer.concat([Buffer.from('3044', 'hex'), raw, Buffer.alloc(6)]),
        (raw) => raw.subarray(0, 63),
      ];
      for (const change of signatures) {
        edit('checkpoint.txt', () => {
          const lines = notes[2]!.split('\n');
          const [dash, name, blob] = lines[4]!.split(' ');
          const bytes = Buffer.from(blob!, 'base64');
          const altered = Buffer.concat([bytes.subarray(0, 12), change(bytes.subarray(12))]);
          return [...lines.slice(0, 4), `${dash} ${name} ${altered.toString('base64')}`, ''].join('\n');
        });
        await expectExit(11);
      }
    });

    it('a signature over a shifted time does not verify (11)', async () => {
      edit('checkpoint.txt', () => {
        const lines = notes[2]!.split('\n');
        const [dash, name, blob] = lines[4]!.split(' ');
        const bytes = Buffer.from(blob!, 'base64');
        bytes[11] = bytes[11]! ^ 1;
        return [...lines.slice(0, 4), `${dash} ${name} ${bytes.toString('base64')}`, ''].join('\n');
      });
      await expectExit(11);
    });

    it('two signed notes of one size are a fork, and proof of it is kept (12)', async () => {
      const forged = writer.canons.with(5, writer.canons[6]!);
      const evidenceFile = join(directory, 'evidence.txt');
      for (const time of [writer.timeOf(EVENTS) - 1, writer.timeOf(EVENTS) + 10]) {
        const fork = await signNote(forged, EVENTS, time, key.key);
        edit('checkpoints.jsonl', () => [...notes, fork].map((note) => `${JSON.stringify({ note })}\n`).join(''));
        await expectExit(12, { evidenceFile });
        const evidence = readFileSync(evidenceFile, 'utf8');
        expect(evidence).to.include(fork.split('\n')[2]);
        expect(evidence).to.include(notes[2]!.split('\n')[2]);
      }
    });

    it('a signed note of an earlier size that is no beginning of this log is a fork (12)', async () => {
      const forged = writer.canons.with(5, writer.canons[6]!);
      const fork = await signNote(forged, 150, writer.timeOf(150), key.key);
      edit('checkpoints.jsonl', () => `${JSON.stringify({ note: fork })}\n`);
      const { report } = await expectExit(12);
      expect(report.fork).to.have.length(2);
    });

    it('a log that does not continue the pinned state is a fork (12), one that is smaller was rolled back (15)', async () => {
      const stateFile = join(directory, 'state.json');
      writeFileSync(stateFile, JSON.stringify({ origin: ORIGIN, root: `sm3:${'7'.repeat(64)}`, size: '150' }));
      await expectExit(12, { stateFile });
      writeFileSync(stateFile, JSON.stringify({ origin: ORIGIN, root: `sm3:${'7'.repeat(64)}`, size: '301' }));
      await expectExit(15, { stateFile });
      writeFileSync(
        stateFile,
        JSON.stringify({ origin: 'other.example.org/log', root: `sm3:${'7'.repeat(64)}`, size: '1' }),
      );
      await expectExit(16, { stateFile });
    });

    it('an older valid checkpoint in the place of the newest is stale (15)', async () => {
      writeFileSync(join(directory, 'checkpoint.txt'), notes[1]!);
      await expectExit(15);
    });

    it('too few witnesses, or one witness under two names, do not meet the quorum (13)', async () => {
      const [one, two] = [await makeLogKey(), await makeLogKey()];
      const cosigned = async (witnesses: [string, LogKey][]): Promise<void> => {
        const lines = await Promise.all(
          witnesses.map(async ([name, witness]) => {
            const note = await signNote(writer.canons, EVENTS, writer.timeOf(EVENTS) + 1, witness.key, {
              name,
              signer: 'witness',
            });
            return note.split('\n')[4]!;
          }),
        );
        writeFileSync(join(directory, 'checkpoint.txt'), `${notes[2]!}${lines.map((line) => `${line}\n`).join('')}`);
      };
      const policyFile = join(directory, 'own.json');
      const witnesses = [
        { name: 'w.example.org/1', signer: 'witness' as const, spki: one.key.spki },
        { name: 'w.example.org/2', signer: 'witness' as const, spki: one.key.spki },
        { name: 'w.example.org/3', signer: 'witness' as const, spki: two.key.spki },
      ];
      const policy = {
        origin: ORIGIN,
        logKey: spkiSm3(key.key.spki),
        clockSkew: 5,
        maxDelay: 60,
        witnesses,
        quorum: 2,
      };
      writeFileSync(policyFile, formatAuditPolicy(policy));
      await expectExit(13, { policyFile });
      await cosigned([
        ['w.example.org/1', one],
        ['w.example.org/2', one],
      ]);
      await expectExit(13, { policyFile });
      await cosigned([
        ['w.example.org/1', one],
        ['w.example.org/3', two],
      ]);
      expect((await expectExit(0, { policyFile })).report.witnesses).to.have.length(2);
      edit('checkpoint.txt', (content) => content.toString().replace(/.{8}(.{20}\n)$/, 'AAAAAAAA$1'));
      await expectExit(11, { policyFile });
    });
  });

  describe('a log that signed what is not right', () => {
    it('an event left out of the history of its subject (14)', async () => {
      await signed(shortLog().canons.toSpliced(4, 1));
      await expectExit(14);
    });

    it('a chain that leads through a hash which is not in the tree (14)', async () => {
      const log = shortLog();
      log.heads.set('device dev-0', { nextN: 5, lastLeaf: Buffer.alloc(32, 9) });
      log.heads.set('device dev-1', { nextN: 4, lastLeaf: Buffer.alloc(32, 9) });
      log.add({ subjects: [{ type: 'device', id: 'dev-1' }] });
      await signed(log.canons);
      await expectExit(14);
    });

    it('an event that stands twice (16)', async () => {
      const log = shortLog();
      log.push(log.canons[3]!);
      await signed(log.canons);
      await expectExit(16);
      const other = shortLog();
      other.add({ id: 'ev-000003', subjects: [{ type: 'device', id: 'dev-new' }] });
      await signed(other.canons);
      await expectExit(16);
    });

    it('an event of another log (16)', async () => {
      const log = shortLog();
      log.add({}, { log: 'other.example.org/log' });
      await signed(log.canons);
      await expectExit(16);
    });

    it('a log that goes on from one of another name without saying so, or from another than it says (16)', async () => {
      const older = { log: 'older.example.org/log' };
      const opened = { previousOrigin: older.log, origin: ORIGIN };
      for (const detail of [undefined, { ...opened, previousOrigin: 'third.example.org/log' }]) {
        const log = new EventWriter();
        log.add({}, older);
        if (detail !== undefined) log.add({ action: 'log.open', subjects: LOG, detail });
        log.add({});
        await signed(log.canons);
        await expectExit(16);
      }
      const unnamed = new EventWriter();
      unnamed.add({}, older);
      await signed(unnamed.canons);
      await expectExit(16);
    });

    it('no fault in a log that was restored: its first events are those of the log that its own first event names', async () => {
      const log = new EventWriter();
      log.add({}, { log: 'older.example.org/log' });
      log.add({
        action: 'log.open',
        subjects: LOG,
        detail: { previousOrigin: 'older.example.org/log', origin: ORIGIN },
      });
      log.add({});
      await signed(log.canons);
      await expectExit(0);
    });

    const malformed: [string, (line: string) => string | Buffer][] = [
      ['is not canonical', (line) => reordered(line)],
      ['has a space', (line) => line.replace('{', '{ ')],
      ['has a key twice', (line) => line.replace('"v":1', '"v":1,"v":1')],
      ['has a float', (line) => line.replace('"v":1', '"v":1.0')],
      ['has an integer above 2^53', (line) => line.replace(/"n":\d+/, '"n":9007199254740993')],
      ['has half of a surrogate pair', (line) => line.replace('"gateway"', String.raw`"\ud800"`)],
      [
        'has malformed UTF-8',
        (line) =>
          Buffer.concat([Buffer.from(line.slice(0, 20)), Buffer.from([0xf0, 0x9f, 0x92]), Buffer.from(line.slice(23))]),
      ],
      ['has an unknown field', (line) => line.replace('"v":1', '"v":1,"w":1')],
      ['has an action that is not registered', (line) => line.replace('device.update', 'device.upsize')],
      ['has a detail that its action does not allow', (line) => line.replace('"profile"', '"pincode"')],
      ['is no JSON', () => 'x'],
      ['is empty', () => ''],
      ['is null', () => 'null'],
      ['is deep', () => '['.repeat(8000) + ']'.repeat(8000)],
    ];
    for (const [what, change] of malformed) {
      it(`an event that ${what} (16)`, async () => {
        const log = shortLog();
        const line = log.canons.at(-1)!.toString();
        log.canons[11] = Buffer.from(change(line));
        await signed(log.canons);
        await expectExit(16);
      });
    }

    it('an event dated an hour back, or into the future (17)', async () => {
      const at = (seconds: number): Date => new Date((writer.timeOf(12) + seconds) * 1000);
      for (const seconds of [-3600, 3600]) {
        const log = shortLog();
        log.add({}, { at: at(seconds) });
        const first = await signNote(log.canons, 12, log.timeOf(12), key.key);
        const checkpoint = await signNote(log.canons, 13, log.timeOf(14), key.key);
        rmSync(directory, { recursive: true });
        writeExport(directory, { canons: log.canons, checkpoint, notes: [first], logKey: key });
        await expectExit(17);
      }
    });

    it('an event that claims to be older than the checkpoint its writer had seen (17)', async () => {
      const log = shortLog();
      const first = await signNote(log.canons, 12, log.timeOf(12), key.key);
      const seen = { size: 12, root: Buffer.from(first.split('\n')[2]!, 'base64') };
      log.add({}, { checkpoint: seen, at: new Date((log.timeOf(12) - 20) * 1000) });
      const checkpoint = await signNote(log.canons, 13, log.timeOf(14), key.key);
      rmSync(directory, { recursive: true });
      writeExport(directory, { canons: log.canons, checkpoint, notes: [first], logKey: key });
      await expectExit(17);
    });

    it('an event that names a checkpoint which does not exist, or comes after it (17)', async () => {
      for (const seen of [
        { size: 12, root: Buffer.alloc(32) },
        { size: 500, root: Buffer.alloc(32) },
      ]) {
        const log = shortLog();
        const first = await signNote(log.canons, 12, log.timeOf(12), key.key);
        log.add({}, { checkpoint: seen });
        const checkpoint = await signNote(log.canons, 13, log.timeOf(14), key.key);
        rmSync(directory, { recursive: true });
        writeExport(directory, { canons: log.canons, checkpoint, notes: [first], logKey: key });
        await expectExit(17);
      }
    });

    it('a checkpoint outside of the validity of the log’s certificate (11)', async () => {
      const log = shortLog();
      const checkpoint = await signNote(log.canons, 12, Date.UTC(2031, 0) / 1000, key.key);
      await signed(log.canons, { checkpoint });
      await expectExit(11);
    });

    it('the lowest code that is evidence of tampering wins', async () => {
      const log = shortLog();
      log.push(Buffer.from('{}'));
      log.canons.splice(2, 1);
      await signed(log.canons, { policy: { quorum: 1 } });
      const { report } = await expectExit(14);
      expect(new Set(report.findings.map((finding) => finding.exit))).to.deep.equal(new Set([13, 14, 16]));
    });
  });
});

/** The same record with its keys the other way round. */
function reordered(line: string): string {
  return JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line) as object).reverse()));
}
