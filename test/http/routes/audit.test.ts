import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { runAuditProve } from '../../../src/cli/audit-prove.ts';
import { runAuditReport } from '../../../src/cli/audit-report.ts';
import { runAuditExport } from '../../../src/cli/audit-export.ts';
import type { CommandInput } from '../../../src/cli/command.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { parseNote } from '../../../src/domain/audit/checkpoint.ts';
import { decodeEntryBundle, tilePath } from '../../../src/domain/audit/tiles.ts';
import { leafHash, rootOfLeaves, verifyConsistency, verifyInclusion } from '../../../src/domain/audit/tree.ts';
import { KmcError } from '../../../src/errors.ts';
import { reportText } from '../../../src/verifier/report.ts';
import { verifyHistory } from '../../../src/verifier/verify-history.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { handSigner, LiveService, liveService, send } from '../live-service.ts';

/** Options as the command line would have parsed them. */
function commandInputOf(values: Readonly<Record<string, string>>): CommandInput {
  const text = (name: string): string | undefined => values[name];
  return {
    text,
    required: (name) => values[name] ?? '',
    list: () => [],
    flag: (name) => values[name] === 'yes',
    setting: text,
    positionals: [],
  };
}

interface Line {
  readonly index: number;
  readonly leaf: string;
  readonly canon: string;
}

interface Trailer {
  readonly scanned: readonly [number, number];
  readonly size: number;
  readonly root: string;
  readonly next?: string;
}

function linesOf(text: string): { events: Line[]; trailer: Trailer } {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return { events: lines.slice(0, -1) as Line[], trailer: lines.at(-1) as Trailer };
}

const hashes = (list: unknown): Buffer[] => (list as string[]).map((text) => Buffer.from(text, 'base64'));

/** What does not fit, or is not there. */
const REFUSED: readonly (readonly [target: string, status: number])[] = [
  ['/api/v1/audit/events?limit=0', 400],
  ['/api/v1/audit/events?limit=5001', 400],
  ['/api/v1/audit/events?from=-1', 400],
  ['/api/v1/audit/events?from=1e3', 400],
  [`/api/v1/audit/events?cursor=${Buffer.from('other.log 0 1').toString('base64url')}`, 400],
  [`/api/v1/audit/events?cursor=${Buffer.from('kmc.test/audit 0 999999').toString('base64url')}`, 404],
  ['/api/v1/audit/tile/0/999', 404],
  ['/api/v1/audit/tile/entries/000.p/0', 404],
  ['/api/v1/audit/proof/inclusion?index=999999', 404],
  ['/api/v1/audit/proof/inclusion', 400],
  ['/api/v1/audit/proof/inclusion?index=1&event=ev-1', 400],
  ['/api/v1/audit/proof/inclusion?event=ev-1', 404],
  ['/api/v1/audit/proof/consistency?from=0&to=1', 404],
  ['/api/v1/audit/proof/consistency?from=2&to=1', 404],
  ['/api/v1/audit/certificate', 404],
  ['/api/v1/audit/proof/history?type=nothing&id=x', 400],
  ['/api/v1/audit/proof/history?type=key', 400],
];

forEachDatabase('the audit log over HTTP', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);
  const auditor = () => handSigner(test().instance.engine, test().people.auditor);

  beforeEach(() => live().advanceLog());

  it('gives an auditor every event page by page, which make the root of the signed checkpoint', async () => {
    const events: Line[] = [];
    const trailers: Trailer[] = [];
    let target: string | undefined = '/api/v1/audit/events?limit=4';
    while (target !== undefined) {
      const { status, text, headers } = await live().call(auditor(), 'GET', target);
      expect(status, text).to.equal(200);
      expect(headers['content-type']).to.equal('application/x-ndjson');
      const page = linesOf(text);
      events.push(...page.events);
      trailers.push(page.trailer);
      target = /^<([^>]+)>; rel="next"$/.exec(String(headers['link']))?.[1];
    }
    const leaves = events.map(({ canon }) => leafHash(sm3, Buffer.from(canon, 'utf8')));
    expect(events.map(({ index }) => index)).to.deep.equal(events.map((_, position) => position));
    expect(leaves.map((leaf) => leaf.toString('base64url'))).to.deep.equal(events.map(({ leaf }) => leaf));
    const { checkpoint } = parseNote((await send(live().url, 'GET', '/api/v1/audit/checkpoint')).text);
    expect(rootOfLeaves(sm3, leaves)).to.deep.equal(checkpoint.root);
    expect(new Set(trailers.map(({ size, root }) => `${size} ${root}`))).to.deep.equal(
      new Set([`${checkpoint.size} ${checkpoint.root.toString('base64')}`]),
    );
  });

  it('pins the pages of a pull to one size, while the log goes on', async () => {
    const first = linesOf((await live().call(auditor(), 'GET', '/api/v1/audit/events?limit=1')).text);
    await live().advanceLog();
    const { text } = await live().call(auditor(), 'GET', `/api/v1/audit/events?cursor=${first.trailer.next ?? ''}`);
    expect(linesOf(text).trailer).to.deep.include({ size: first.trailer.size, root: first.trailer.root });
    const newest = parseNote((await send(live().url, 'GET', '/api/v1/audit/checkpoint')).text).checkpoint;
    expect(newest.size).to.be.greaterThan(first.trailer.size);
  });

  it('records that it was read, by events or by entry bundles, and not for hashes', async () => {
    const { size } = parseNote((await send(live().url, 'GET', '/api/v1/audit/checkpoint')).text).checkpoint;
    const pulls = async (): Promise<number> =>
      (await test().history('log', test().instance.audit.origin)).filter(({ act }) => act === 'audit.pull').length;
    const before = await pulls();
    const width = Math.min(size, 256);
    const leaves = await live().call(auditor(), 'GET', `/api/v1/audit/tile/${tilePath({ level: 0, index: 0, width })}`);
    expect([leaves.status, await pulls()]).to.deep.equal([200, before]);
    const path = tilePath({ level: 'entries', index: 0, width });
    const bundle = await live().client(test().people.auditor).send('GET', `/api/v1/audit/tile/${path}`);
    expect(decodeEntryBundle(bundle.body, width)).to.have.length(width);
    expect(bundle.headers['cache-control']).to.include('immutable');
    expect(await pulls()).to.equal(before + 1);
    await live().call(auditor(), 'GET', '/api/v1/audit/events');
    expect(await pulls()).to.equal(before + 2);
  });

  it('proves to anybody that an event is in the tree, and that the tree only grew', async () => {
    const { url } = live();
    const old = parseNote((await send(url, 'GET', '/api/v1/audit/checkpoint')).text).checkpoint;
    await live().call(auditor(), 'GET', '/api/v1/audit/events');
    await live().advanceLog();
    const now = parseNote((await send(url, 'GET', '/api/v1/audit/checkpoint')).text).checkpoint;
    const inclusion = (await send(url, 'GET', `/api/v1/audit/proof/inclusion?index=2&size=${now.size}`)).json;
    const leaf = Buffer.from(String(inclusion['leaf']), 'base64');
    const proof = hashes(inclusion['proof']);
    expect(verifyInclusion(sm3, { index: 2, size: now.size, leaf, root: now.root, proof })).to.equal(true);
    const consistency = (await send(url, 'GET', `/api/v1/audit/proof/consistency?from=${old.size}&to=${now.size}`))
      .json;
    const sizes = { size1: old.size, size2: now.size, root1: old.root, root2: now.root };
    expect(verifyConsistency(sm3, { ...sizes, proof: hashes(consistency['proof']) })).to.equal(true);
    const [entry] = await test().database.read(({ audit }) => audit.entries(2, 1));
    const byId = (await send(url, 'GET', `/api/v1/audit/proof/inclusion?event=${entry?.eventId ?? ''}`)).json;
    expect(byId).to.deep.equal(inclusion);
  });

  it('filters, and answers in the form that is asked for, compressed when that is accepted', async () => {
    const get = (query: string) => live().client(test().people.auditor).send('GET', `/api/v1/audit/events?${query}`);
    const [{ canon: oldest }] = linesOf((await get('limit=1')).body.toString('utf8')).events as [Line];
    const { act } = JSON.parse(oldest) as { act: string };
    const rows = (await get(`format=csv&action=${act}`)).body.toString('utf8').trimEnd().split('\r\n');
    expect(rows[0]).to.include('"actorType"');
    const lines = linesOf((await get(`action=${act}`)).body.toString('utf8'));
    expect(rows).to.have.length(lines.events.length + 1);
    expect(lines.trailer.scanned[1]).to.be.greaterThan(lines.events.length);
    for (const { canon } of lines.events) expect(canon).to.include(`"act":"${act}"`);
    const syslog = await get('format=syslog&limit=2');
    expect(syslog.headers['content-type']).to.include('text/plain');
    expect(syslog.headers['link']).to.include('format=syslog');
    expect(syslog.headers['kmc-audit-scanned']).to.match(/^0-2\/\d+$/);
    await live().advanceLog();
    const pulls = linesOf((await get('action=audit.pull')).body.toString('utf8')).events.map(
      ({ canon }) => (JSON.parse(canon) as { det: Record<string, unknown> }).det,
    );
    expect(pulls.map(({ filter, format }) => `${String(filter)} ${String(format)}`)).to.include.members([
      `action=${act} csv`,
      'undefined syslog',
    ]);
  });

  it('is exported into a file page by page, and goes on from where it was', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmc-audit-export-'));
    const values = { out: join(folder, 'events.ocsf'), 'cursor-file': join(folder, 'cursor'), format: 'ocsf' };
    const input = (given: Record<string, string>): CommandInput => commandInputOf({ ...values, ...given });
    const client = live().client(test().people.auditor);
    const given = { signal: new AbortController().signal, progress: () => undefined };
    const { json } = await runAuditExport(client, input({}), given);
    const count = (): number => readFileSync(values.out, 'utf8').trimEnd().split('\n').length;
    const before = count();
    expect(json).to.deep.include({ first: 0, next: before });
    await live().advanceLog();
    await runAuditExport(client, input({}), given);
    expect(count(), 'the pull itself is an event').to.equal(before + 1);
    await refusal('E_EXISTS', runAuditExport(client, input({ 'cursor-file': join(folder, 'other') }), given));
    await refusal('E_USAGE', runAuditExport(client, input({ format: 'xml' }), given));
    const packed = { ...values, out: join(folder, 'events.gz'), gzip: 'yes', 'cursor-file': join(folder, 'third') };
    await runAuditExport(client, commandInputOf(packed), given);
    expect(gunzipSync(readFileSync(packed.out)).toString('utf8').split('\n').length).to.be.greaterThan(before);
    rmSync(folder, { recursive: true });
  });

  it('goes on with what comes until it is stopped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmc-audit-follow-'));
    const out = join(folder, 'events.jsonl');
    const stop = new AbortController();
    const client = live().client(test().people.auditor);
    const seen: number[] = [];
    const following = runAuditExport(client, commandInputOf({ out, follow: 'yes' }), {
      signal: stop.signal,
      progress: (done) => {
        seen.push(done);
        if (seen.length === 1) void live().advanceLog();
        else stop.abort();
      },
    });
    await following;
    expect(seen).to.have.length(2);
    expect(readFileSync(out, 'utf8').trimEnd().split('\n').length).to.equal(seen[1]);
    rmSync(folder, { recursive: true });
  });

  it('lists the checkpoints after a time', async () => {
    await live().call(auditor(), 'GET', '/api/v1/audit/events');
    await live().advanceLog();
    const text = async (target: string): Promise<string[]> =>
      (await send(live().url, 'GET', target)).text.split('\n').filter((line) => line !== '');
    const all = await text('/api/v1/audit/checkpoints');
    expect(all).to.have.length(2);
    const { time } = JSON.parse(all[0] ?? '') as { time: number };
    expect(await text(`/api/v1/audit/checkpoints?after=${time}`)).to.deep.equal(all.slice(1));
  });

  it('refuses ranges, cursors and names that do not fit, and answers 404 to what is not there', async () => {
    for (const [target, status] of REFUSED) {
      const signed = ['/events', '/tile', '/history'].some((part) => target.includes(part));
      const answer = signed ? await live().call(auditor(), 'GET', target) : await send(live().url, 'GET', target);
      expect(answer.status, `${target} ${answer.text}`).to.equal(status);
    }
  });

  it('is closed to every other role', async () => {
    const error: unknown = await live()
      .client(test().people.securityOne)
      .json('GET', '/api/v1/audit/events')
      .catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(KmcError);
    expect(error).to.include({ code: 'E_FORBIDDEN' });
  });
});

forEachDatabase('histories of the audit log over HTTP', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  const live = (): LiveService => service;
  const auditor = () => handSigner(test().instance.engine, test().people.auditor);

  beforeEach(async function startService() {
    service = await LiveService.start(test(), { log: test().people.securityOne });
    await service.advanceLog();
  });
  afterEach(() => service.close());

  it('is proven and reported on the command line: the file is kept only when it verifies', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kmc-audit-prove-'));
    const client = live().client(test().people.auditor);
    const { id } = test().people.auditor;
    const wait = (): Promise<void> => live().advanceLog();
    const out = join(folder, 'acts.json');
    const proven = await runAuditProve(client, commandInputOf({ administrator: id, out }), wait);
    expect(proven.exitCode, proven.text).to.equal(0);
    expect(proven.text).to.include('and there is none else');
    expect(verifyHistory(readFileSync(out, 'utf8')).exitCode).to.equal(0);
    await refusal('E_USAGE', runAuditProve(client, commandInputOf({ out }), wait));
    await refusal('E_USAGE', runAuditProve(client, commandInputOf({ key: 'a', device: 'b', out }), wait));
    await refusal('E_EXISTS', runAuditProve(client, commandInputOf({ key: 'none', out }), wait));
    await live().advanceLog();
    const page = join(folder, 'life.html');
    const { json } = await runAuditReport(client, commandInputOf({ administrator: id, out: page }), {
      anchors: [],
      wait,
    });
    expect(json).to.include({ page, history: `${page}.history.json` });
    expect(readFileSync(page, 'utf8')).to.include('<svg').and.to.include(`Life of actor person:${id}`);
    expect(verifyHistory(readFileSync(`${page}.history.json`, 'utf8')).exitCode).to.equal(0);
    rmSync(folder, { recursive: true });
  });

  it('gives the complete history of a person as a file that verifies offline', async () => {
    await live().call(auditor(), 'GET', '/api/v1/audit/events');
    await live().advanceLog();
    const id = test().people.auditor.id;
    const target = `/api/v1/audit/proof/history?type=actor&id=person:${id}&from=2020-01-01T00:00:00Z`;
    const { status, text } = await live().call(auditor(), 'GET', target);
    expect(status, text).to.equal(200);
    const report = verifyHistory(text);
    expect(report.exitCode, reportText(report)).to.equal(0);
    expect(report.inPeriod.map(({ event }) => event.act)).to.deep.equal(['audit.pull']);
    expect(report.period).to.deep.equal({ from: '2020-01-01T00:00:00.000Z' });
  });
});
