/** Figures of a large estate, and totals made anew from a long log. */
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { encodeAuditEvent, type AuditEventInput } from '../../src/domain/audit/event.ts';
import { CompactRange, leafHash } from '../../src/domain/audit/tree.ts';
import { newId } from '../../src/domain/id.ts';
import { figuresOf } from '../../src/domain/supervision/figures.ts';
import { FigureTotals } from '../../src/domain/supervision/totals.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openPlace, type PlaceName } from './database-place.ts';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const REGIONS = 32;
const CERTIFICATES = 150_000;
const DAY_MS = 86_400_000;
const FIRST_DAY = Date.parse('2026-01-01T00:00:00Z');
const DAYS = 330;
const EVENTS = 1_000_000;
const CHUNK = 10_000;
const MEGABYTE = 1_048_576;
/** Events of one device, in their order. */
const STEPS = [
  'device.register',
  'token.issue',
  'enrolment.complete',
  'certificate.suspend',
  'certificate.revoke',
] as const;

function detailOf(step: (typeof STEPS)[number], device: number, at: Date): AuditEventInput['detail'] {
  const region = String(110_000 + (device % REGIONS) * 1_000);
  const place = { region, registrationAuthority: `ra-${region}` };
  const end = new Date(at.getTime() + 365 * DAY_MS).toISOString();
  const notAfter = `${end.slice(0, 19)}Z`;
  const known = { ...place, model: `SG-${device % 5}`, profile: 'gateway' };
  const serial = device.toString(16).padStart(32, '4');
  if (step === 'device.register') return { ...known, vendor: 'Example', to: 'registered' };
  if (step === 'token.issue') return { device: `dev-${device}`, region };
  if (step === 'enrolment.complete') {
    return {
      ...known,
      algorithm: 'SM2',
      authority: 'sm2-issuing',
      deviceFrom: 'registered',
      encryptionKid: `sm3:${serial.padStart(64, '0')}`,
      encryptionNotAfter: notAfter,
      encryptionProfile: 'gateway-enc',
      encryptionSerial: serial,
      signNotAfter: notAfter,
      signProfile: 'gateway-sign',
      signSerial: serial,
    };
  }
  return {
    ...place,
    algorithm: 'SM2',
    authority: 'sm2-issuing',
    from: step === 'certificate.revoke' ? 'on-hold' : 'good',
    notAfter,
    profile: 'gateway-sign',
    serial,
    reason: 'superseded',
  };
}

/** The event of a step in the life of a device, as the log holds it. */
function eventBytes(step: (typeof STEPS)[number], device: number): Buffer {
  const at = new Date(FIRST_DAY + (device % DAYS) * DAY_MS + 36_000_000);
  return encodeAuditEvent(
    {
      id: newId('ev', at),
      action: step,
      outcome: 'success',
      subjects: [{ type: 'device', id: `dev-${device}` }],
      actor: { type: 'device', id: `dev-${device}` },
      source: { node: 'node-1', request: 'req-1' },
      detail: detailOf(step, device, at),
    },
    { log: 'kmc.example.org/audit/2026', at, heads: new Map() },
  ).canon;
}

async function readFigures(name: PlaceName, { quick }: BenchOptions): Promise<Measurement | undefined> {
  const place = await openPlace(name);
  if (place === undefined) return undefined;
  const database = await openDatabase({ url: place.url });
  try {
    const totals = new FigureTotals();
    // Each device has two certificates.
    for (let device = 0; device < CERTIFICATES / 2; device += 1) {
      totals.addEvent(eventBytes('device.register', device));
      totals.addEvent(eventBytes('enrolment.complete', device));
    }
    const cells = totals.cells();
    await database.transaction(async (tx) => {
      await tx.supervision.advance(0, CERTIFICATES);
      await tx.supervision.add(cells);
    });
    const period = { day: '2026-11-20', from: '2026-11-01', to: '2026-11-30', expiringDays: 90 };
    const rounds = quick ? 5 : 15;
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now();
      const figures = figuresOf(await database.read((reader) => reader.supervision.totalsFor(period)), period);
      times.push(performance.now() - start);
      const { valid } = figures.total.certificates;
      if (valid !== CERTIFICATES || figures.regions.length !== REGIONS) throw new Error('these figures are wrong');
    }
    return { ...summarize(times, 'ms', rounds, {}, false), certificates: CERTIFICATES, totals: cells.length };
  } finally {
    await database.close();
    await place.release();
  }
}

/** The events are made in between and not timed; none of them is kept. */
function recompute({ quick }: BenchOptions): Promise<Measurement> {
  const count = quick ? EVENTS / 20 : EVENTS;
  const totals = new FigureTotals();
  const tree = new CompactRange(sm3);
  let milliseconds = 0;
  const memory: number[] = [];
  for (let made = 0; made < count; made += CHUNK) {
    const chunk = Array.from({ length: CHUNK }, (_, index) => {
      const number = made + index;
      return eventBytes(STEPS[number % STEPS.length] ?? 'token.issue', Math.floor(number / STEPS.length));
    });
    const start = performance.now();
    for (const event of chunk) {
      totals.addEvent(event);
      tree.append(leafHash(sm3, event));
    }
    milliseconds += performance.now() - start;
    memory.push(process.memoryUsage().heapUsed / MEGABYTE);
  }
  const half = memory.length >> 1;
  const most = (values: readonly number[]): number => Math.max(...values);
  return Promise.resolve({
    ...summarize([(milliseconds / 1000) * (EVENTS / count)], 's', count, {}, false),
    perSecond: (count / milliseconds) * 1000,
    totals: totals.size,
    heapFirstHalfMiB: most(memory.slice(0, half)),
    heapSecondHalfMiB: most(memory.slice(half)),
  });
}

export const supervisionBenchmarks: readonly Benchmark[] = [
  {
    name: 'figures.read',
    what: 'figures of 150,000 certificates in 32 regions, from the totals in SQLite',
    run: (options) => readFigures('sqlite', options),
  },
  {
    name: 'figures.read.pg',
    what: 'the same from PostgreSQL',
    run: (options) => readFigures('postgresql', options),
  },
  {
    name: 'figures.recompute',
    what: 'totals made anew from 1,000,000 encoded events, parsed strictly and hashed into their tree; with --quick from a twentieth, in proportion; heap used in the first and in the second half',
    run: recompute,
  },
];
