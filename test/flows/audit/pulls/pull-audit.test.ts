import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createAuditFolder } from '../../../../src/cli/audit-folder.ts';
import { runAuditPull } from '../../../../src/cli/audit-pull.ts';
import { auditReportText, runAuditVerify } from '../../../../src/cli/audit-verify.ts';
import { sm3 } from '../../../../src/crypto/gm/sm3.ts';
import { parseNote } from '../../../../src/domain/audit/checkpoint.ts';
import { parseAuditRecord } from '../../../../src/domain/audit/record.ts';
import { verifyConsistency, verifyInclusion } from '../../../../src/domain/audit/tree.ts';
import type { Caller } from '../../../../src/domain/caller.ts';
import { exportAudit } from '../../../../src/flows/audit/pulls/export-audit.ts';
import { ownAuditSource } from '../../../../src/flows/audit/pulls/own-audit-source.ts';
import { proveConsistency } from '../../../../src/flows/audit/tree/prove-consistency.ts';
import { proveInclusion } from '../../../../src/flows/audit/tree/prove-inclusion.ts';
import { pullAudit, type AuditPage } from '../../../../src/flows/audit/pulls/pull-audit.ts';
import type { KmcClient } from '../../../../src/agent/signed-client.ts';
import type { KmcDatabase } from '../../../../src/store/database.ts';
import { forEachDatabase } from '../../../store/databases.ts';
import { refusal } from '../../../store/race.ts';
import { deviceEvent, ORIGIN, TestLog } from '../test-log.ts';

const auditor: Caller = {
  type: 'person',
  id: 'p-auditor',
  unit: 'u-1',
  roles: [{ role: 'auditor' }],
  certificateSm3: `sm3:${'0'.repeat(64)}`,
};

forEachDatabase('reading the audit log', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;
  let folder: string;

  beforeEach(async function openLog() {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
    folder = mkdtempSync(join(tmpdir(), 'kmc-export-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function grow(events: number): Promise<void> {
    await database.transaction(async (tx) => {
      for (let event = 0; event < events; event += 1)
        await tx.audit.append(deviceEvent(`dev-${event % 5}`), log.clock.now());
    });
    await log.advance(database);
  }

  async function pull(from: number, limit: number, size?: number, caller: Caller = auditor): Promise<AuditPage> {
    const input = { from, limit, source: { node: 'node-1' }, ...(size === undefined ? {} : { size }) };
    return await pullAudit({ database, clock: log.clock, origin: ORIGIN }, input, caller);
  }

  it('pages are pinned to one checkpoint and never go beyond what was signed', async () => {
    await refusal('E_NOT_FOUND', pull(0, 10));
    await grow(25);
    const first = await pull(0, 10);
    expect(first).to.deep.include({ scanned: { from: 0, next: 10 }, size: 25, done: false });
    await grow(5);
    const rest = await pull(10, 5_000, first.size);
    expect(rest).to.deep.include({ scanned: { from: 10, next: 25 }, size: 25, done: true });
    expect(parseNote(rest.checkpoint.note).checkpoint.size).to.be.greaterThan(25);
    expect((await pull(1_000, 10)).entries).to.deep.equal([]);
    await refusal('E_NOT_FOUND', pull(0, 10, 1_000));
  });

  it('reading is an event, but a page of own pulls is not: polling comes to rest', async () => {
    await grow(3);
    await pull(0, 100);
    await log.advance(database);
    const second = await pull(3, 100);
    expect(second.entries.map((entry) => parseAuditRecord(entry.canon).act)).to.deep.equal(['audit.pull']);
    const record = parseAuditRecord(second.entries[0]!.canon);
    expect(record.det).to.deep.equal({ events: 3, first: 0, next: 3, size: 3 });
    expect(record.actor).to.deep.include({ id: 'p-auditor' });
    await log.advance(database);
    expect((await pull(4, 100)).entries).to.deep.equal([]);
    const other: Caller = { ...auditor, id: 'p-other' };
    await pull(3, 100, undefined, other);
    await log.advance(database);
    expect((await pull(4, 100)).entries, 'another reader is seen').to.have.length(1);
  });

  it('only auditors read, and only sensible ranges', async () => {
    await grow(3);
    const operator: Caller = { ...auditor, roles: [{ role: 'ca-operator' }] };
    await refusal('E_FORBIDDEN', pull(0, 10, undefined, operator));
    await refusal('E_FORBIDDEN', pull(0, 10, undefined, { type: 'anonymous', source: '10.0.0.1' }));
    for (const [from, limit] of [
      [-1, 10],
      [0.5, 10],
      [0, 0],
      [0, 5_001],
      [0, 1.5],
    ] as const)
      await refusal('E_SCHEMA', pull(from, limit));
  });

  it('proofs hold against the signed roots', async () => {
    await grow(300);
    const before = parseNote((await pull(0, 1)).checkpoint.note).checkpoint;
    await grow(260);
    const now = parseNote((await pull(0, 1)).checkpoint.note).checkpoint;
    const proof = await proveConsistency({ database }, { from: before.size, to: now.size });
    const claim = { size1: before.size, size2: now.size, root1: before.root, root2: now.root, proof };
    expect(verifyConsistency(sm3, claim)).to.equal(true);
    const [leaf] = await database.read(({ audit }) => audit.leaves(299, 1));
    const path = await proveInclusion({ database }, { index: 299, size: now.size });
    expect(verifyInclusion(sm3, { index: 299, size: now.size, leaf: leaf!, root: now.root, proof: path })).to.equal(
      true,
    );
    await refusal('E_NOT_FOUND', proveInclusion({ database }, { index: 5, size: 100_000 }));
    await refusal('E_NOT_FOUND', proveConsistency({ database }, { from: 5, to: 100_000 }));
  });

  function source(): ReturnType<typeof ownAuditSource> {
    return ownAuditSource({ database }, { certificate: log.logKey.certificate, policy: log.policy });
  }

  it('an export has the files of the contract and verifies offline', async () => {
    const directory = join(folder, 'audit');
    await refusal('E_NOT_FOUND', exportAudit({ source: source(), folder: createAuditFolder(directory) }));
    await grow(30);
    await grow(270);
    const steps: number[] = [];
    const done = await exportAudit({ source: source(), folder: createAuditFolder(directory) }, (events) =>
      steps.push(events),
    );
    expect(done).to.deep.include({ origin: ORIGIN, size: 300 });
    expect(steps).to.deep.equal([256, 300]);
    const files = [
      'checkpoint.txt',
      'checkpoints.jsonl',
      'log.crt.pem',
      'policy.json',
      'tiles/0/000',
      'tiles/0/001.p/44',
      'tiles/1/000.p/1',
    ];
    for (const file of [...files, 'tiles/entries/000', 'tiles/entries/001.p/44'])
      expect(existsSync(join(directory, file)), file).to.equal(true);
    const lines = readFileSync(join(directory, 'events.jsonl'), 'utf8').split('\n');
    expect(lines).to.have.length(301);
    expect(parseAuditRecord(Buffer.from(lines[7]!)).subj[0]!.t).to.equal('device');
    const { exitCode, report } = await runAuditVerify({ directory });
    expect(exitCode, auditReportText(report)).to.equal(0);
    expect(report).to.deep.include({ subjects: 5, notes: 3, tiles: 5 });
    await refusal('E_EXISTS', exportAudit({ source: source(), folder: createAuditFolder(directory) }));
  });

  /** The service as a client sees it; `refused` is answered as to somebody without the role. */
  function clientOf(asked: string[], refused?: string): KmcClient {
    return {
      async send(_method, target) {
        asked.push(target);
        if (refused !== undefined && target.includes(refused)) {
          const problem = { code: 'E_FORBIDDEN', detail: 'The role does not allow this.' };
          return { status: 403, headers: {}, body: Buffer.from(JSON.stringify(problem)) };
        }
        return { status: 200, headers: {}, body: await answer(target.replace('/api/v1/audit/', '')) };
      },
      json: () => Promise.reject(new Error('not asked')),
    };
    async function answer(path: string): Promise<Buffer> {
      const own = source();
      if (path.startsWith('tile/')) return await own.tile(path.slice('tile/'.length));
      if (path.startsWith('checkpoints?after=')) {
        const notes = await own.checkpointsAfter(Number(path.split('=')[1]));
        return Buffer.from(notes.map((note) => `${JSON.stringify(note)}\n`).join(''));
      }
      const texts: Record<string, () => Promise<string | undefined>> = {
        checkpoint: own.checkpoint,
        certificate: own.certificate,
        policy: own.policy,
      };
      return Buffer.from((await texts[path]!()) ?? '');
    }
  }

  it('a log pulled over HTTP is the same copy', async () => {
    await grow(270);
    const directory = join(folder, 'copy');
    const asked: string[] = [];
    const client = clientOf(asked);
    const { exitCode, report } = await runAuditPull(client, { directory });
    expect(exitCode, auditReportText(report)).to.equal(0);
    expect(asked).to.include('/api/v1/audit/tile/entries/001.p/14');
    await refusal('E_EXISTS', runAuditPull(client, { directory }));
  });

  it('a pull that is refused half-way leaves nothing behind and can be tried again', async () => {
    await grow(270);
    const directory = join(folder, 'copy');
    for (const refused of ['tile/entries/001', 'tile/0/', 'checkpoints?after']) {
      await refusal('E_FORBIDDEN', runAuditPull(clientOf([], refused), { directory }));
      expect(readdirSync(folder), refused).to.deep.equal([]);
    }
    expect((await runAuditPull(clientOf([]), { directory })).exitCode).to.equal(0);
  });
});
