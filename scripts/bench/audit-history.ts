/** What a complete history costs in a large log, and how long it takes from a commit to the signed checkpoint over it. */
import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '../../src/domain/id.ts';
import { parseNote } from '../../src/domain/audit/checkpoint.ts';
import { closeIndexEpoch } from '../../src/flows/audit/histories/close-index-epoch.ts';
import { proveHistory } from '../../src/flows/audit/histories/prove-history.ts';
import { advanceAuditLog } from '../../src/flows/audit/log/advance-audit-log.ts';
import { pullAudit } from '../../src/flows/audit/pulls/pull-audit.ts';
import { verifyHistory } from '../../src/verifier/verify-history.ts';
import { deviceEvent, TestLog } from '../../test/flows/audit/test-log.ts';
import { openDatabase, type KmcDatabase } from '../../src/store/database.ts';
import { openPlace } from './database-place.ts';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const SYSTEM = { type: 'system', id: 'bench' } as const;
const EVENTS_TOGETHER = 50;
const SUBJECTS = 50;
const PAGE = 5_000;

interface Grown {
  readonly log: TestLog;
  readonly database: KmcDatabase;
  release(): Promise<void>;
}

/** A log of that many events about `events / 50` devices, sequenced and signed. */
async function grownLog(events: number): Promise<Grown> {
  const place = await openPlace('sqlite');
  if (place === undefined) throw new Error('there is no place for a database');
  const log = await TestLog.make();
  const database = await openDatabase({ url: place.url, audit: log.settings });
  const devices = Math.max(1, Math.floor(events / SUBJECTS));
  for (let done = 0; done < events; done += 20 * EVENTS_TOGETHER) {
    await database.transaction(async (tx) => {
      for (let part = done; part < Math.min(events, done + 20 * EVENTS_TOGETHER); part += EVENTS_TOGETHER) {
        const at = log.clock.now();
        const together = Array.from({ length: EVENTS_TOGETHER }, (_, n) => ({
          event: deviceEvent(`dev-${(part + n) % devices}`, { id: newId('ev', at) }),
          at,
        }));
        await tx.audit.appendAll(together);
      }
    });
    if (done % 50_000 === 0) await log.advance(database);
  }
  for (let left = 1; left > 0; left = await database.read(({ audit }) => audit.pending())) await log.advance(database);
  const release = async (): Promise<void> => {
    await database.close();
    await place.release();
  };
  return { log, database, release };
}

async function history({ quick }: BenchOptions): Promise<Measurement> {
  const events = quick ? 20_000 : 1_000_000;
  const { log, database, release } = await grownLog(events);
  try {
    const certificate = (): Promise<Buffer> => Promise.resolve(log.logKey.certificate);
    const ports = { database, clock: log.clock, node: 'node-1', audit: { origin: log.settings.origin, certificate } };
    const start = performance.now();
    await closeIndexEpoch(ports, SYSTEM);
    const closing = performance.now() - start;
    await log.advance(database);
    const proving: number[] = [];
    const verifying: number[] = [];
    let octets = 0;
    for (let round = 0; round < 7; round += 1) {
      const begin = performance.now();
      const file = await proveHistory(ports, { key: `device dev-${round * 3}`, source: { node: 'node-1' } }, SYSTEM);
      const json = JSON.stringify(file);
      const middle = performance.now();
      const { exitCode } = verifyHistory(json);
      if (exitCode !== 0 || file.events.length < SUBJECTS)
        throw new Error('the history of the benchmark does not hold');
      proving.push(middle - begin);
      verifying.push(performance.now() - middle);
      octets = json.length;
    }
    const memory = await pullAll(log, database, events);
    const figures = summarize(proving, 'ms', proving.length, {});
    const verified = summarize(verifying, 'ms', verifying.length, {});
    return { ...figures, events, octets, verifyMs: verified.median, closeEpochMs: closing, ...memory };
  } finally {
    await release();
  }
}

/** Pulls the whole log page by page: events a second, and the most memory of the process above what it began with. */
async function pullAll(log: TestLog, database: KmcDatabase, events: number): Promise<Record<string, number>> {
  const ports = { database, clock: log.clock, origin: log.settings.origin };
  const start = performance.now();
  const before = process.memoryUsage().rss;
  let peak = before;
  for (let from = 0; from < events; from += PAGE) {
    await pullAudit(ports, { from, limit: PAGE, source: { node: 'node-1' } }, SYSTEM);
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  return {
    pulledPerSecond: events / ((performance.now() - start) / 1000),
    peakMegabytes: peak / 1_048_576,
    growthMegabytes: (peak - before) / 1_048_576,
  };
}

/** Commits an event now and then while the log is kept, and waits for the checkpoint that covers it. */
async function lag({ quick }: BenchOptions): Promise<Measurement> {
  const { log, database, release } = await grownLog(500);
  const clock = { now: () => new Date() };
  const ports = { ...log.ports(database), clock };
  const waits: number[] = [];
  try {
    log.clock.advance((Date.now() - log.clock.now().getTime()) / 1000);
    for (let commit = 0; commit < (quick ? 8 : 100); commit += 1) {
      await pause(37 * (commit % 11));
      const at = clock.now();
      const id = newId('ev', at);
      await database.transaction((tx) => tx.audit.append(deviceEvent(`dev-${commit % 7}`, { id }), at));
      const committed = performance.now();
      for (let covered = false; !covered;) {
        const { checkpoint } = await advanceAuditLog(ports, log.signer);
        const place = await database.read(({ audit }) => audit.find(id));
        const size = checkpoint === undefined ? 0 : parseNote(checkpoint.note).checkpoint.size;
        covered = place?.index !== undefined && place.index < size;
        // As the keeper of the log does between its rounds.
        if (!covered) await pause(250);
      }
      waits.push(performance.now() - committed);
    }
    const sorted = waits.toSorted((a, b) => a - b);
    const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
    return { ...summarize(waits, 'ms', waits.length, {}), p99 };
  } finally {
    await release();
  }
}

export const auditHistoryBenchmarks: readonly Benchmark[] = [
  {
    name: 'audit.history',
    what: 'milliseconds until the complete history of one device of 50 events is proven, in a log of 1,000,000 events (quick: 20,000); with its size, the time to verify it, to close an epoch of the index, and a pull of everything',
    run: history,
  },
  {
    name: 'audit.checkpoint',
    what: 'milliseconds from the commit of an event to the signed checkpoint that covers it, with the pauses of the keeper of the log',
    run: lag,
  },
];
