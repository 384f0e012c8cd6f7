/** Dual enrolments over EST: gmdualenroll under Basic, HTTPS with connections that are kept. */
import { Agent, request } from 'node:https';
import { openPlace } from './database-place.ts';
import { withService, type ServiceProcess } from './enrolment.ts';
import type { EstRequest, TlsPlace, Usage } from './enrolment-service.ts';
import { median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const CLIENTS = 24;
const PATH = '/.well-known/est/gateway/gmdualenroll';

/** Posts a request; rejects unless it is answered with a CSRResponse. */
function post(agent: Agent, url: string, { credential, csr }: EstRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/pkcs10',
      'content-length': csr.length,
      authorization: credential,
    };
    const outgoing = request(`${url}${PATH}`, { method: 'POST', agent, headers }, (incoming) => {
      incoming.resume();
      incoming.on('end', () => {
        const isAnswered = incoming.headers['content-type'] === 'application/gmt0092-csr-response';
        if (incoming.statusCode === 200 && isAnswered) resolve();
        else reject(new Error(`an enrolment was answered with ${incoming.statusCode}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(csr);
  });
}

async function enrolAll({ url, anchor }: TlsPlace, requests: readonly EstRequest[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS, ca: anchor });
  const waiting = [...requests];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await post(agent, url, next);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return seconds;
}

async function measure(service: ServiceProcess, { quick }: BenchOptions): Promise<Measurement> {
  const [rounds, size] = quick ? [3, 120] : [5, 400];
  const place = await service.ask<TlsPlace>({ op: 'tls' });
  const prepare = () => service.ask<EstRequest[]>({ op: 'prepare-est', count: size });
  const rates: number[] = [];
  const cpu: number[] = [];
  await enrolAll(place, await prepare());
  for (let round = 0; round < rounds; round += 1) {
    const requests = await prepare();
    const { cpuMs: before } = await service.ask<Usage>({ op: 'usage' });
    rates.push(size / (await enrolAll(place, requests)));
    cpu.push(((await service.ask<Usage>({ op: 'usage' })).cpuMs - before) / size);
  }
  return { ...summarize(rates, 'enrolments/s', rounds * size), clients: CLIENTS, cpuMs: median(cpu) };
}

export const estBenchmarks: readonly Benchmark[] = [
  {
    name: 'enrol.est',
    what: `complete dual enrolments over EST (gmdualenroll, HTTPS, Basic) by ${CLIENTS} clients on kept connections, durable on SQLite`,
    async run(options) {
      const opened = await openPlace('sqlite');
      if (opened === undefined) return undefined;
      try {
        return await withService(opened.url, (service) => measure(service, options));
      } finally {
        await opened.release();
      }
    },
  },
];
