/** Measuring: several rounds, the median counts, peers run in the same process and round by round with ours. */
import { arch, cpus, platform, totalmem } from 'node:os';

export interface Measurement {
  readonly value: number;
  readonly unit: string;
  /** Operations in all rounds. */
  readonly n: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly peers: Readonly<Record<string, number>>;
  /** Ours divided by the peer's (for times: the peer's divided by ours), so that more is better for us. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Further figures of one benchmark, such as `cores` and `outsideSm2Ms` of `enrol.dual`. */
  readonly [extra: string]: unknown;
}

export interface Benchmark {
  readonly name: string;
  /** Says what is compared with what. */
  readonly what: string;
  /** Undefined where there is no PostgreSQL server program for it. */
  run(options: BenchOptions): Promise<Measurement | undefined>;
}

export interface BenchOptions {
  readonly quick: boolean;
}

/** Until the optimising compilers are done, which run beside on a busy machine. */
const WARM_UP_MS = 1_000;

export type Operation = () => unknown;

/** A peer that measures itself: it runs for about so long and says its operations per second of processor time. */
export interface RatedPeer {
  rate(milliseconds: number): Promise<number>;
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/**
 * Runs an operation for about `milliseconds` and returns operations per second of processor time: what else the machine
 * does takes turns with this, and does not count.
 */
export async function rate(operation: Operation, milliseconds: number): Promise<{ perSecond: number; count: number }> {
  const asynchronous = operation() instanceof Promise;
  const start = cpuMicroseconds();
  const end = start + milliseconds * 1000;
  let count = 0;
  let now = start;
  while (now < end) {
    for (let i = 0; i < 4; i += 1) {
      const result = operation();
      if (asynchronous) await result;
    }
    count += 4;
    now = cpuMicroseconds();
  }
  return { perSecond: count / ((now - start) / 1e6), count };
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Summary of values of one unit. `moreIsBetter` is false for times. */
export function summarize(
  values: readonly number[],
  unit: string,
  n: number,
  peers: Readonly<Record<string, number>> = {},
  moreIsBetter = true,
): Measurement {
  const value = median(values);
  const ratios = Object.fromEntries(
    Object.entries(peers).map(([peer, theirs]) => [peer, moreIsBetter ? value / theirs : theirs / value]),
  );
  return { value, unit, n, median: value, min: Math.min(...values), max: Math.max(...values), peers, ratios };
}

/**
 * Compares our operation with those of peers: rounds alternate, so that what else the machine does hits all alike.
 * @param batch operations in one call of ours.
 * @returns operations per second of processor time.
 */
export async function compare(
  ours: Operation,
  peers: Readonly<Record<string, Operation | RatedPeer>>,
  options: BenchOptions,
  batch = 1,
): Promise<Measurement> {
  const rounds = options.quick ? 3 : 7;
  const milliseconds = options.quick ? 60 : 400;
  const own: number[] = [];
  const theirs = new Map<string, number[]>(Object.keys(peers).map((name) => [name, []]));
  let n = 0;
  await rate(ours, WARM_UP_MS);
  for (let round = 0; round < rounds; round += 1) {
    const result = await rate(ours, milliseconds);
    own.push(result.perSecond * batch);
    n += result.count * batch;
    for (const [name, peer] of Object.entries(peers)) {
      const isRated = typeof peer !== 'function';
      theirs.get(name)?.push(isRated ? await peer.rate(milliseconds) : (await rate(peer, milliseconds)).perSecond);
    }
  }
  const figures = Object.fromEntries([...theirs].map(([name, values]) => [name, median(values)]));
  return summarize(own, 'operations/s', n, figures);
}

/** What the figures were measured on. */
export function machine(): Record<string, string | number> {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryBytes: totalmem(),
    platform: `${platform()} ${arch()}`,
    node: process.version,
    openssl: process.versions.openssl,
  };
}
