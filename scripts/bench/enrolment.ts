/** Dual enrolments over HTTP: a whole service in its own process, many clients in this one, durable writes. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPlace, type PlaceName } from './database-place.ts';
import type { Order, Usage } from './enrolment-service.ts';
import { median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const SERVICE = fileURLToPath(new URL('enrolment-service.ts', import.meta.url));
const CLIENTS = 24;

/** The service in its process, and orders to it. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  #url = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(variables: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const child = fork(SERVICE, {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const service = new ServiceProcess(child);
    service.#url = await service.#answer<string>();
    return service;
  }

  get url(): string {
    return this.#url;
  }

  async ask<T>(order: Order): Promise<T> {
    const answer = this.#answer<T>();
    this.#child.send(order);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    await this.ask({ op: 'stop' });
    setTimeout(() => this.#child.kill('SIGKILL'), 5_000).unref();
    await ended;
  }

  #answer<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the service of the benchmark ended'));
      this.#child.once('exit', onExit);
      this.#child.once('message', (message: unknown) => {
        this.#child.off('exit', onExit);
        const isError = typeof message === 'object' && message !== null && 'error' in message;
        if (isError) reject(new Error(String(message.error)));
        else resolve(message as T);
      });
    });
  }
}

/** Posts a body; rejects unless it is answered with 200 and two certificates. */
function post(agent: Agent, url: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request(`${url}/api/v1/enrolments`, { method: 'POST', agent, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (incoming.statusCode === 200 && text.includes('"encCertificate"')) resolve();
        else reject(new Error(`an enrolment was answered with ${incoming.statusCode}: ${text}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Sends every body once, by many clients at the same time. @returns seconds. */
async function enrolAll(url: string, bodies: readonly string[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const waiting = [...bodies];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let body = waiting.pop(); body !== undefined; body = waiting.pop()) await post(agent, url, body);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return seconds;
}

async function measure(service: ServiceProcess, { quick }: BenchOptions): Promise<Measurement> {
  const [rounds, size] = quick ? [3, 120] : [5, 400];
  /** A service runs for months: what counts is its code after it was compiled. */
  const warming = quick ? 1 : 3;
  const usage = async (): Promise<number> => (await service.ask<Usage>({ op: 'usage' })).cpuMs;
  const rates: number[] = [];
  const cores: number[] = [];
  const cpu: number[] = [];
  const sm2: number[] = [];
  const outside: number[] = [];
  for (let round = 0; round < warming; round += 1) {
    await enrolAll(service.url, await service.ask<string[]>({ op: 'prepare', count: size }));
  }
  await service.ask<number>({ op: 'sm2' });
  for (let round = 0; round < rounds; round += 1) {
    const bodies = await service.ask<string[]>({ op: 'prepare', count: size });
    const before = await service.ask<number>({ op: 'sm2' });
    const start = await usage();
    const seconds = await enrolAll(service.url, bodies);
    const cpuMs = (await usage()) - start;
    const spent = (before + (await service.ask<number>({ op: 'sm2' }))) / 2;
    rates.push(size / seconds);
    cores.push(cpuMs / 1000 / seconds);
    cpu.push(cpuMs / size);
    sm2.push(spent);
    outside.push(cpuMs / size - spent);
  }
  return {
    ...summarize(rates, 'enrolments/s', rounds * size),
    clients: CLIENTS,
    /** Processor seconds of the serving process per second. */
    cores: median(cores),
    cpuMs: median(cpu),
    sm2Ms: median(sm2),
    outsideSm2Ms: median(outside),
  };
}

/** Enrolments a second when node:crypto signs and JavaScript encrypts. */
async function rateWithoutKernel(options: BenchOptions): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'kmc-bench-'));
  try {
    const variables = { KMC_HOME: join(home, 'instance'), KMC_DB: join(home, 'kmc.sqlite'), KMC_SM2_ENGINE: 'node' };
    const service = await ServiceProcess.start(variables);
    try {
      return (await measure(service, options)).value;
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function withPeer(measured: Measurement, theirs: number): Measurement {
  const peer = 'KMC_SM2_ENGINE=node';
  return { ...measured, peers: { [peer]: theirs }, ratios: { [peer]: measured.value / theirs } };
}

function enrolment(name: string, place: PlaceName, database: string): Benchmark {
  return {
    name,
    what: `complete dual enrolments over HTTP by ${CLIENTS} clients, audit log running, durable on ${database}; outsideSm2Ms = processor time of the service less its SM2, both measured here`,
    async run(options) {
      const opened = await openPlace(place);
      if (opened === undefined) return undefined;
      try {
        const measured = await withService(opened.url, (service) => measure(service, options));
        return place === 'sqlite' ? withPeer(measured, await rateWithoutKernel(options)) : measured;
      } finally {
        await opened.release();
      }
    },
  };
}

/** Runs `work` on a service of its own over the database at `url`. */
export async function withService<T>(url: string, work: (service: ServiceProcess) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'kmc-bench-'));
  try {
    const service = await ServiceProcess.start({ KMC_HOME: join(home, 'instance'), KMC_DB: url });
    try {
      return await work(service);
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

export const enrolmentBenchmarks: readonly Benchmark[] = [
  enrolment('enrol.dual', 'sqlite', 'SQLite'),
  enrolment('enrol.dual.pg', 'postgresql', 'PostgreSQL'),
];
