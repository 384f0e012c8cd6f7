import { expect } from 'chai';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { parseNote } from '../../../src/domain/audit/checkpoint.ts';
import { decodeEntryBundle, tilePath } from '../../../src/domain/audit/tiles.ts';
import { leafHash, rootOfLeaves, verifyConsistency, verifyInclusion } from '../../../src/domain/audit/tree.ts';
import { KmcError } from '../../../src/errors.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { handSigner, liveService, send } from '../live-service.ts';

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
      const signed = target.includes('/events') || target.includes('/tile');
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
