/** Starts of the built program: its help, and a service on a home that exists. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const READY_LIMIT_MS = 120_000;
const POLL_MS = 5;

function milliseconds(args: readonly string[]): number {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  const took = performance.now() - start;
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return took;
}

function startCli({ quick }: BenchOptions): Measurement {
  const rounds = quick ? 5 : 15;
  const own: number[] = [];
  const bare: number[] = [];
  milliseconds([MAIN, '--help']);
  for (let round = 0; round < rounds; round += 1) {
    own.push(milliseconds([MAIN, '--help']));
    bare.push(milliseconds(['--eval', '0']));
  }
  return summarize(own, 'ms', rounds, { node: summarize(bare, 'ms', rounds).value }, false);
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}

/** Milliseconds from the spawn until /readyz answers 200; the service is stopped afterwards. */
async function untilReady(home: string): Promise<number> {
  const [port, tlsPort] = [await freePort(), await freePort()];
  const start = performance.now();
  const child = spawn(process.execPath, [MAIN, 'start', '--home', home], {
    env: { ...process.env, KMC_LISTEN: `127.0.0.1:${port}`, KMC_TLS_LISTEN: `127.0.0.1:${tlsPort}` },
    stdio: 'ignore',
  });
  try {
    while (!(await isReady(`http://127.0.0.1:${port}/readyz`))) {
      if (child.exitCode !== null) throw new Error(`kmc start ended with ${child.exitCode}`);
      if (performance.now() - start > READY_LIMIT_MS) throw new Error('kmc start is not ready');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return performance.now() - start;
  } finally {
    await stop(child);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

async function startService({ quick }: BenchOptions): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-bench-start-'));
  try {
    const home = join(folder, 'instance');
    const firstMs = await untilReady(home);
    const rounds = quick ? 3 : 7;
    const own: number[] = [];
    for (let round = 0; round < rounds; round += 1) own.push(await untilReady(home));
    return { ...summarize(own, 'ms', rounds, {}, false), firstStartMs: firstMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const startBenchmarks: readonly Benchmark[] = [
  {
    name: 'start.cli',
    what: 'kmc --help of the built program, from spawn to exit; node = an empty script',
    run: (options) => Promise.resolve(startCli(options)),
  },
  {
    name: 'start.service',
    what: 'kmc start on an existing development home, from spawn until /readyz answers 200; firstStartMs = the start that made it',
    run: startService,
  },
];
