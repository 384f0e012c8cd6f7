/** Bodies, JSON, targets and errors that attack (security-and-faults 4.D): D2 to D5, D8. */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { z } from 'zod';
import { KmcError } from '../../src/errors.ts';
import { PAGE_QUERY, pageOf } from '../../src/http/listing.ts';
import { MAX_BODY_BYTES } from '../../src/http/request-body.ts';
import { route } from '../../src/http/route.ts';
import { BASE64, ID, LABEL_TEXT, SIGNED_OBJECT, TIME } from '../../src/http/schemas.ts';
import { send, type Answer } from './live-service.ts';
import { sendRaw, startPlainService, statusesOf, type PlainService } from './plain-service.ts';

const PUBLIC = { public: true } as const;
const base = { tag: 'test', summary: 'a test', access: PUBLIC, answers: {} };

const FAULTS: Readonly<Record<string, () => never>> = {
  defect: () => {
    throw new TypeError("Cannot read properties of undefined (reading '/srv/kmc/store/people.ts')");
  },
  integrity: () => {
    throw new KmcError('E_INTEGRITY', 'row 17 of select * from people', {
      cause: new Error('SQLITE_CORRUPT /srv/kmc.sqlite'),
    });
  },
  storage: () => {
    throw new KmcError('E_STORAGE', 'The database does not answer.', {
      cause: new Error('select secret from x'),
      retryAfter: 5,
    });
  },
  absent: () => {
    throw new KmcError('E_NOT_FOUND', 'there is no such thing');
  },
};

const ROUTES = [
  route({
    ...base,
    operationId: 'testBody',
    method: 'post',
    path: '/api/v1/things',
    body: z.strictObject({
      id: ID.optional(),
      name: LABEL_TEXT.optional(),
      at: TIME.optional(),
      der: BASE64.optional(),
      params: SIGNED_OBJECT.optional(),
    }),
    handle: ({ body }) => Promise.resolve({ status: 200, json: body }),
  }),
  route({
    ...base,
    operationId: 'testList',
    method: 'get',
    path: '/api/v1/things',
    query: z.strictObject(PAGE_QUERY),
    handle: ({ query }) => Promise.resolve({ status: 200, json: pageOf(query) }),
  }),
  route({
    ...base,
    operationId: 'testItem',
    method: 'get',
    path: '/api/v1/things/:id',
    params: z.strictObject({ id: ID }),
    handle: ({ params }) => Promise.resolve({ status: 200, json: params }),
  }),
  route({
    ...base,
    operationId: 'testLarge',
    method: 'get',
    path: '/crl/large.crl',
    handle: () =>
      Promise.resolve({ status: 200, bytes: { type: 'application/pkix-crl', body: Buffer.alloc(5_000_000) } }),
  }),
  ...Object.entries(FAULTS).map(([name, fail]) =>
    route({
      ...base,
      operationId: `fault-${name}`,
      method: 'get',
      path: `/api/v1/faults/${name}`,
      handle: async () => fail(),
    }),
  ),
];

const JSON_TYPE = { 'content-type': 'application/json' };

describe('the HTTP listener under attack', () => {
  let service: PlainService;
  beforeEach(async () => {
    service = await startPlainService(ROUTES);
  });
  afterEach(() => service.close());

  const post = (body: Buffer | string, headers: Record<string, string> = JSON_TYPE): Promise<Answer> =>
    send(service.url, 'POST', '/api/v1/things', Buffer.from(body as string), headers);
  const get = (target: string, headers: Record<string, string> = {}): Promise<Answer> =>
    send(service.url, 'GET', target, undefined, headers);
  const verdict = ({ status, json }: Answer): unknown => [status, json['code']];

  it('takes a body of exactly 1 MiB and refuses one octet more with 413 (D3)', async () => {
    const body = (length: number): string => `{"id":"a"}${' '.repeat(length - 10)}`;
    expect((await post(body(MAX_BODY_BYTES))).status).to.equal(200);
    expect(verdict(await post(body(MAX_BODY_BYTES + 1)))).to.deep.equal([413, 'E_SIZE']);
  });

  it('refuses chunked bodies, which have no length (D3)', async () => {
    const raw =
      'POST /api/v1/things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n';
    const answer = await sendRaw(service.port, Buffer.from(raw));
    expect(statusesOf(answer)).to.deep.equal([400]);
    expect(answer.closed).to.equal(true);
  });

  it('refuses compressed bodies unopened (D3)', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    for (const encoding of ['gzip', 'br', 'deflate', 'identity']) {
      expect(verdict(await post(bomb, { ...JSON_TYPE, 'content-encoding': encoding }))).to.deep.equal([415, 'E_TYPE']);
    }
  });

  for (const [what, text, code] of [
    ['__proto__', '{"__proto__":{"admin":true}}', 'E_JSON'],
    ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}', 'E_JSON'],
    ['the same member twice', '{"id":"a","id":"b"}', 'E_JSON'],
    ['an integer beyond 2^53', '{"id":9007199254740993}', 'E_JSON'],
    ['a number beyond a double', '{"id":1e400}', 'E_JSON'],
    ['a depth of 5,000', `{"params":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 'E_JSON'],
    ['a depth of 200,000', '['.repeat(200_000), 'E_JSON'],
    ['half of a surrogate pair', '{"name":"\\ud800"}', 'E_JSON'],
    ['a byte order mark', '\ufeff{}', 'E_JSON'],
    ['something behind the value', '{}{}', 'E_JSON'],
    ['an unknown member', '{"admin":true}', 'E_SCHEMA'],
    ['a number where an id is expected', '{"id":1}', 'E_SCHEMA'],
    ['NUL in text', '{"name":"a\\u0000b"}', 'E_SCHEMA'],
    ['text that is not in NFC', '{"name":"e\\u0301"}', 'E_SCHEMA'],
    ['a 13th month', '{"at":"2026-13-01T00:00:00Z"}', 'E_SCHEMA'],
    ['base64 that is not canonical', '{"der":"QUJD\\n"}', 'E_SCHEMA'],
    ['a number in a signed object', '{"params":{"count":3}}', 'E_SCHEMA'],
    ['an array', '[]', 'E_SCHEMA'],
  ] as const) {
    it(`refuses JSON with ${what} (D4)`, async () => {
      expect(verdict(await post(text))).to.deep.equal([400, code]);
    });
  }

  it('refuses a body that is not UTF-8 (D4)', async () => {
    expect(verdict(await post(Buffer.from('7b226e616d65223a22ff227d', 'hex')))).to.deep.equal([400, 'E_JSON']);
  });

  it('names the members that do not fit with JSON pointers', async () => {
    const { json } = await post('{"id":"NO","a/b~c":1}');
    expect(json['errors']).to.deep.include({ pointer: '/id', detail: 'an identifier' });
  });

  for (const type of [
    'application/json; charset=utf-7',
    'application/json; charset=utf-16',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=a',
    'application/json, text/plain',
    'application/jsonp',
    '',
  ]) {
    it(`refuses a body of the type "${type}" (D5)`, async () => {
      expect(verdict(await post('{}', type === '' ? {} : { 'content-type': type }))).to.deep.equal([415, 'E_TYPE']);
    });
  }

  for (const target of [
    '//api/v1/things',
    '/api//v1/things',
    '/api/v1/../v1/things',
    '/api/v1/./things',
    '/api/v1/%2e%2e/things',
    '/api/v1/%2E/things',
    '/api/v1/things%2fa',
    '/api/v1/things;a=1',
    '/api/v1/things%00',
    '/api/v1/things/%5c',
    '/api/v1/things/%E0%A4',
    '/api/v1/things/a%20b',
    '/api/v1/things/A',
    `/api/v1/things/${'a'.repeat(2_100)}`,
    '/api/v1/things?unknown=1',
    '/api/v1/things?limit=1&limit=2',
    '/api/v1/things?limit[]=1',
    '/api/v1/things?limit=1001',
    '/api/v1/things?limit=-1',
    '/api/v1/things?__proto__=1',
    `/api/v1/things?cursor=${Buffer.from('a\0b').toString('base64url')}`,
    `/api/v1/things?cursor=${Buffer.from("' or 1=1 --").toString('base64url')}`,
  ]) {
    it(`refuses the target ${target.slice(0, 50)} (D5)`, async () => {
      expect((await get(target)).status).to.equal(400);
    });
  }

  it('refuses method override, upgrade and other methods (D5)', async () => {
    expect((await get('/api/v1/things', { 'x-http-method-override': 'DELETE' })).status).to.equal(400);
    const upgrade = await sendRaw(
      service.port,
      Buffer.from('GET /api/v1/things HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    );
    expect(statusesOf(upgrade)).to.deep.equal([400]);
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const answer = await send(service.url, method, '/api/v1/things');
      expect(verdict(answer)).to.deep.equal([405, 'E_METHOD']);
      expect(answer.headers['allow']).to.equal('POST, GET, HEAD');
    }
  });

  it('refuses a field that stands twice (D5)', async () => {
    for (const name of ['Content-Type', 'Idempotency-Key', 'Signature', 'Signature-Input', 'Content-Digest']) {
      const raw = `GET /api/v1/things HTTP/1.1\r\nHost: a\r\n${name}: a\r\n${name}: b\r\n\r\n`;
      expect(statusesOf(await sendRaw(service.port, Buffer.from(raw))), name).to.deep.equal([400]);
    }
  });

  it('answers the same shape of error everywhere, without stack, SQL or path (D8)', async () => {
    const seen: Record<string, unknown> = {};
    for (const name of Object.keys(FAULTS)) {
      const answer = await get(`/api/v1/faults/${name}`);
      expect(answer.headers['content-type']).to.equal('application/problem+json');
      const { requestId, ...rest } = answer.json;
      expect(requestId).to.match(/^req-[0-9a-z]{26}$/);
      expect(requestId).to.equal(answer.headers['x-request-id']);
      seen[name] = rest;
    }
    const hidden = 'the service met an internal fault: quote the requestId to the operators';
    const problem = (code: string, status: number, detail: string): object => {
      const title = code.slice(2).toLowerCase().replaceAll('_', ' ');
      return { type: `urn:kmc:error:${title.replaceAll(' ', '-')}`, title, status, code, detail };
    };
    expect(seen).to.deep.equal({
      defect: problem('E_INTERNAL', 500, hidden),
      integrity: problem('E_INTEGRITY', 500, hidden),
      storage: problem('E_STORAGE', 503, 'The database does not answer.'),
      absent: problem('E_NOT_FOUND', 404, 'there is no such thing'),
    });
    expect(service.faults).to.have.length(3);
  });

  it('does not tell what it is made of, and lets nobody keep or sniff an answer', async () => {
    const { headers } = await get('/api/v1/things');
    expect(headers).to.not.have.any.keys('x-powered-by', 'server', 'etag');
    expect(headers['cache-control']).to.equal('no-store');
    expect(headers['x-content-type-options']).to.equal('nosniff');
  });

  it('ends a connection that sends its header one octet at a time, while others are served (D2)', async function slow() {
    this.timeout(20_000);
    const sockets = Array.from({ length: 100 }, () => connect(service.port, '127.0.0.1'));
    const closed = Promise.all(
      sockets.map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.on('error', () => undefined);
            socket.on('close', () => resolve());
          }),
      ),
    );
    const start = performance.now();
    const head = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(100)}`;
    let position = 0;
    const trickle = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write(head.charAt(position));
      position += 1;
    }, 400);
    const times: number[] = [];
    for (let i = 0; i < 50; i += 1) {
      const before = performance.now();
      expect((await get('/api/v1/things')).status).to.equal(200);
      times.push(performance.now() - before);
    }
    expect(times.sort((a, b) => a - b)[47]).to.be.lessThan(250);
    for (const socket of sockets) socket.resume();
    await closed;
    clearInterval(trickle);
    expect(performance.now() - start).to.be.within(8_000, 14_000);
  });

  it('serves others while somebody reads a large answer slowly (D2)', async () => {
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write('GET /crl/large.crl HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await get('/api/v1/things')).status).to.equal(200);
    socket.destroy();
  });
});
