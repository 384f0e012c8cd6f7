/** The CRL of a large estate, from the database to the published row. */
import { randomBytes } from 'node:crypto';
import { publishCrl } from '../../src/flows/certificates/publish-crl.ts';
import type { CertificateRow } from '../../src/flows/ports/certificates.ts';
import { newId } from '../../src/domain/id.ts';
import { SYSTEM, TestInstance } from '../../test/fixtures/instance.ts';
import { openPlace } from './database-place.ts';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const REVOKED = 100_000;
const PER_TRANSACTION = 5_000;
const DAY_MS = 86_400_000;
const MEGABYTE = 1_048_576;
const SAMPLE_MS = 5;

function revokedRow(index: number, auditEvent: string, now: number): CertificateRow {
  return {
    id: newId('cert', new Date(now)),
    authorityId: 'sm2-issuing',
    // 16 octets, as the service makes them; the first is below 80.
    serialNumber: `5${randomBytes(16).toString('hex').slice(1)}`,
    status: 'revoked',
    subject: Buffer.from([0x30, 0x00]),
    spkiSm3: `sm3:${index}`,
    profile: 'gateway-sign',
    notBefore: new Date(now - 400 * DAY_MS),
    notAfter: new Date(now + 300 * DAY_MS),
    certificate: undefined,
    certificateSm3: undefined,
    certificateSha256: undefined,
    source: 'imported',
    pairId: undefined,
    deviceId: undefined,
    shard: undefined,
    revokedAt: new Date(now - (index + 1) * 1000),
    reason: index % 3 === 0 ? 'keyCompromise' : 'superseded',
    invalidityDate: undefined,
    createdAt: new Date(now - 400 * DAY_MS),
    lastAuditEvent: auditEvent,
  };
}

async function fill({ database, instance }: TestInstance): Promise<void> {
  const now = Date.now();
  for (let start = 0; start < REVOKED; start += PER_TRANSACTION) {
    const at = new Date(now);
    const event = newId('ev', at);
    const rows = Array.from({ length: PER_TRANSACTION }, (_, index) => revokedRow(start + index, event, now));
    await database.transaction(async (tx) => {
      await tx.audit.append(
        {
          id: event,
          action: 'certificate.import',
          outcome: 'success',
          subjects: [{ type: 'authority', id: 'sm2-issuing' }],
          actor: { type: 'system', id: instance.node },
          source: { node: instance.node },
          detail: { authority: 'sm2-issuing' },
        },
        at,
      );
      await tx.certificates.insertAll(rows);
    });
  }
}

/** Runs `work`, and says by how much the memory of the process rose at the most meanwhile, in MiB. */
async function peakOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let peak = before;
  const timer = setInterval(() => void (peak = Math.max(peak, process.memoryUsage.rss())), SAMPLE_MS);
  await work();
  clearInterval(timer);
  return Math.max(peak, process.memoryUsage.rss()) / MEGABYTE - before / MEGABYTE;
}

async function largeCrl({ quick }: BenchOptions): Promise<Measurement | undefined> {
  const place = await openPlace('sqlite');
  if (place === undefined) return undefined;
  const test = await TestInstance.make(place.url);
  try {
    await fill(test);
    const publish = () => publishCrl(test.instance, SYSTEM, 'sm2-issuing');
    await publish();
    const rounds = quick ? 2 : 5;
    const seconds: number[] = [];
    let octets = 0;
    let entries = 0;
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now();
      const row = await publish();
      seconds.push((performance.now() - start) / 1000);
      ({ entries } = row);
      octets = row.crl.length;
    }
    if (entries !== REVOKED) throw new Error('the CRL of the benchmark does not hold what it should');
    const peakMiB = await peakOf(publish);
    return { ...summarize(seconds, 's', rounds, {}, false), entries, octets, peakMiB };
  } finally {
    await test.stop();
    await place.release();
  }
}

export const crlBenchmarks: readonly Benchmark[] = [
  {
    name: 'crl.build.100k',
    what: 'the next CRL of 100,000 entries: inventory in SQLite read page by page and held against the last CRL, encoded, linted, signed, signature checked twice, stored; peakMiB = rise of the memory of the process meanwhile',
    run: largeCrl,
  },
];
