import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { expect } from 'chai';
import { route } from '../../src/http/route.ts';
import { sendRaw, startPlainService, statusesOf, type PlainService } from './plain-service.ts';

interface BadRequest {
  readonly id: string;
  readonly what: string;
  readonly raw?: string;
  readonly rawTemplate?: string;
  readonly expectedStatus: number;
}

const { requests } = JSON.parse(
  readFileSync(new URL('../vectors/http-bad-requests.json', import.meta.url), 'utf8'),
) as { requests: readonly BadRequest[] };

function octetsOf({ raw, rawTemplate }: BadRequest): Buffer {
  if (raw !== undefined) return Buffer.from(raw, 'latin1');
  const text = (rawTemplate ?? '').replaceAll('\\r\\n', '\r\n').replace('<20,000 times "a">', 'a'.repeat(20_000));
  return Buffer.from(text, 'latin1');
}

/** Answers whatever gets through with 200, so that nothing is refused for want of a route. */
const ROUTES = (['get', 'post'] as const).flatMap((method) =>
  ['/', '/x', '/a'].map((path) =>
    route({
      operationId: `${method}-${path}`,
      method,
      path,
      tag: 'test',
      summary: 'a test',
      access: { public: true },
      query: z.looseObject({}),
      answers: {},
      handle: () => Promise.resolve({ status: 200, json: {} }),
    }),
  ),
);

describe('requests that must be refused (http-bad-requests.json)', () => {
  let service: PlainService;
  before(async () => {
    service = await startPlainService(ROUTES);
  });
  after(() => service.close());

  it('holds 26 requests', () => {
    expect(requests).to.have.length(26);
  });

  for (const bad of requests) {
    it(`${bad.id} gets one answer, ${bad.expectedStatus}, and the connection is closed: ${bad.what}`, async () => {
      const answer = await sendRaw(service.port, octetsOf(bad));
      expect(statusesOf(answer)).to.deep.equal([bad.expectedStatus]);
      expect(answer.closed).to.equal(true);
    });
  }

  it('counts them as refusals of their source', () => {
    expect(service.refusals.length).to.be.greaterThan(20);
    expect(new Set(service.refusals.map(({ caller }) => caller.type))).to.deep.equal(new Set(['anonymous']));
  });

  it('answers a good request on the same listener', async () => {
    const answer = await sendRaw(service.port, Buffer.from('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'));
    expect(statusesOf(answer)).to.deep.equal([200]);
  });
});
