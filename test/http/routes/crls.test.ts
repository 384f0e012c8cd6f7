import { expect } from 'chai';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { parseCertificateList } from '../../../src/x509/crl.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { LiveService } from '../live-service.ts';

forEachDatabase('CRLs over HTTP', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  beforeEach(async () => void (service = await LiveService.start(test())));
  afterEach(() => service.close());

  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${service.url}${path}`, { headers });

  it('are published with their regions by a CA operator, one by name if asked', async () => {
    const client = service.client(test().people.caOperatorOne);
    const path = '/api/v1/authorities/sm2-issuing/crls';
    const all = (await client.json('POST', path, {})) as { number: string; shards: { scope: string }[] };
    expect(all.number).to.equal('1');
    expect(all.shards).to.have.length(33);
    expect(await client.json('POST', path, { scope: 'delta' })).to.include({ scope: 'delta', number: '35' });
    expect(await client.json('POST', path, { scope: '110000' })).to.include({ scope: '110000', entries: 0 });
    const shard = await get('/crl/sm2-issuing/110000.crl');
    expect(parseCertificateList(Buffer.from(await shard.arrayBuffer())).crlNumber).to.equal(36n);
    const delta = await get('/crl/sm2-issuing/delta.crl');
    expect(parseCertificateList(Buffer.from(await delta.arrayBuffer())).deltaBase).to.equal(1n);
    expect(delta.headers.get('cache-control')).to.contain('max-age=300,');
    for (const name of ['none/delta.crl', 'sm2-issuing/none.crl', 'admin-ca/delta.crl']) {
      expect((await get(`/crl/${name}`)).status, name).to.equal(404);
    }
  });

  it('say how long they may be kept, and are not sent again to those who have them', async () => {
    const { thisUpdate, nextUpdate } = await publishCrl(test().instance, SYSTEM, 'sm2-issuing');
    const { status, headers } = await get('/crl/sm2-issuing.crl');
    expect(status).to.equal(200);
    const etag = headers.get('etag') ?? '';
    expect(headers.get('cache-control')).to.equal('public, max-age=3600, must-revalidate, no-transform');
    expect(headers.get('last-modified')).to.equal(thisUpdate.toUTCString());
    expect(headers.get('expires')).to.equal(nextUpdate.toUTCString());
    const before = new Date(thisUpdate.getTime() - 1000).toUTCString();
    const cases: [Record<string, string>, number][] = [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `"other", W/${etag}` }, 304],
      [{ 'if-none-match': '*' }, 304],
      [{ 'if-none-match': '"other"' }, 200],
      [{ 'if-none-match': '"other"', 'if-modified-since': thisUpdate.toUTCString() }, 200],
      [{ 'if-modified-since': thisUpdate.toUTCString() }, 304],
      [{ 'if-modified-since': before }, 200],
      [{ 'if-modified-since': 'yesterday' }, 200],
    ];
    for (const [condition, expected] of cases) {
      const answer = await get('/crl/sm2-issuing.crl', condition);
      expect(answer.status, JSON.stringify(condition)).to.equal(expected);
      expect(answer.headers.get('etag')).to.equal(etag);
      await answer.arrayBuffer();
    }
    test().clock.advance(1);
    await publishCrl(test().instance, SYSTEM, 'sm2-issuing');
    expect((await get('/crl/sm2-issuing.crl', { 'if-none-match': etag })).status).to.equal(200);
  });
});
