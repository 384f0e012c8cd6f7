/** The data-encryption service over HTTP: signed requests of one application, each with one item of 1 KiB. */
import { randomBytes } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { signRequest } from '../../src/domain/http-signature.ts';
import {
  grant,
  managedKey,
  registeredApplication,
  type RegisteredApplication,
} from '../../test/fixtures/applications.ts';
import { TestInstance } from '../../test/fixtures/instance.ts';
import { LiveService } from '../../test/http/live-service.ts';
import { openPlace, type PlaceName } from './database-place.ts';
import { median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const PARALLEL = 16;
const OCTETS = 1024;
const PATH = '/api/v1/crypto/encrypt';
const UNLIMITED = { requests: 1_000_000_000, seconds: 10 };

interface SignedRequest {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Requests signed beforehand: what their caller computes is no part of the figure. */
async function signed(
  service: LiveService,
  application: RegisteredApplication,
  keyId: string,
  count: number,
): Promise<SignedRequest[]> {
  const signer = { engine: service.instance.engine, key: application.key, certificate: application.certificate };
  const plaintext = randomBytes(OCTETS).toString('base64');
  const body = Buffer.from(JSON.stringify({ key: keyId, plaintext, context: { record: '7' } }));
  const content = { type: 'application/json', body };
  const parts = { method: 'POST', authority: service.authority, path: PATH, query: '?', content };
  const requests: SignedRequest[] = [];
  for (let made = 0; made < count; made += 1) {
    const nonce = randomBytes(18).toString('base64url');
    const headers = await signRequest(signer, parts, { createdSeconds: Math.floor(Date.now() / 1000), nonce });
    requests.push({
      body,
      headers: { 'content-type': content.type, 'content-length': String(body.length), ...headers },
    });
  }
  return requests;
}

function post(url: string, agent: Agent, { body, headers }: SignedRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${url}${PATH}`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Requests a second, by several callers at the same time. */
async function rateOf(url: string, agent: Agent, requests: readonly SignedRequest[]): Promise<number> {
  const waiting = [...requests];
  const start = performance.now();
  const caller = async (): Promise<void> => {
    for (let request = waiting.pop(); request !== undefined; request = waiting.pop()) {
      if ((await post(url, agent, request)) !== 200) throw new Error('a request of the benchmark was refused');
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, caller));
  return (requests.length * 1000) / (performance.now() - start);
}

async function encryption(name: PlaceName, { quick }: BenchOptions): Promise<Measurement | undefined> {
  const place = await openPlace(name);
  if (place === undefined) return undefined;
  const test = await TestInstance.make(place.url);
  const service = await LiveService.start(test, {
    limits: { source: UNLIMITED, identity: UNLIMITED, application: UNLIMITED },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });
  try {
    const application = await registeredApplication(test);
    const key = await managedKey(test);
    await grant(test, application, key, 'encrypt');
    const count = quick ? 200 : 1_500;
    const rates: number[] = [];
    const processor: number[] = [];
    // The first round is a warm-up.
    for (let round = 0; round <= (quick ? 2 : 5); round += 1) {
      const requests = await signed(service, application, key.id, count);
      const before = process.cpuUsage();
      const rate = await rateOf(service.url, agent, requests);
      const { user, system } = process.cpuUsage(before);
      if (round > 0) rates.push(rate);
      if (round > 0) processor.push((user + system) / 1000 / count);
    }
    return { ...summarize(rates, 'requests/s', rates.length * count), processorMs: median(processor) };
  } finally {
    agent.destroy();
    await service.close();
    await test.stop();
    await place.release();
  }
}

export const dataBenchmarks: readonly Benchmark[] = [
  {
    name: 'crypto.encrypt.1k',
    what: `encryptions of 1 KiB a second over HTTP, one item a request, signed beforehand, by ${PARALLEL} callers in the same process, SQLite; processorMs: of one request, both sides`,
    run: (options) => encryption('sqlite', options),
  },
  {
    name: 'crypto.encrypt.1k.pg',
    what: 'the same on PostgreSQL',
    run: (options) => encryption('postgresql', options),
  },
];
