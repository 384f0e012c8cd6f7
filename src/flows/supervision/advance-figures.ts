import { closesAt, monthOf, nextMonth } from '../../domain/supervision/month.ts';
import { periodOf, reportBytes, supervisionReport } from '../../domain/supervision/report.ts';
import { FigureTotals } from '../../domain/supervision/totals.ts';
import { parseAuditRecord } from '../../domain/audit/record.ts';
import { KmcError } from '../../errors.ts';
import type { AuditEntry } from '../ports/audit.ts';
import type { Clock, Database, Reader } from '../ports/database.ts';

export interface FiguresPorts {
  readonly database: Database;
  readonly clock: Clock;
}

/** Events of one transaction. */
const BATCH = 1_000;

/** A month that is over, with the number of events at which it is cut. */
interface Closing {
  readonly month: string;
  readonly events: number;
}

/**
 * Books the events that were signed since, at most `batches` times 1,000 of them, and makes the report of each month that is
 * over at exactly the place of the log where it is cut. Of processes that do it at the same time, one does.
 * @returns how many events were booked.
 * @throws KmcError E_INTEGRITY for an event that cannot be read; E_STORAGE.
 */
export async function advanceFigures(ports: FiguresPorts, batches: number): Promise<number> {
  let booked = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    const work = await ports.database.read(nextWork);
    if (work === undefined) break;
    const done = 'entries' in work ? await book(ports, work.entries) : await close(ports, work);
    if (!done) break;
    booked += 'entries' in work ? work.entries.length : 0;
  }
  return booked;
}

async function nextWork(reader: Reader): Promise<{ readonly entries: readonly AuditEntry[] } | Closing | undefined> {
  const position = await reader.supervision.position();
  const closing = await nextClosing(reader);
  if (closing !== undefined && closing.events === position) return closing;
  const end = closing?.events ?? (await reader.audit.newestCheckpoint())?.size ?? 0;
  const entries = position < end ? await reader.audit.entries(position, Math.min(BATCH, end - position)) : [];
  return entries.length === 0 ? undefined : { entries };
}

/** The oldest month without a report, if it is over. */
async function nextClosing({ audit, supervision }: Reader): Promise<Closing | undefined> {
  const last = (await supervision.months()).at(-1);
  const [first] = last === undefined ? await audit.entries(0, 1) : [];
  const month = last === undefined ? first && monthOf(parseAuditRecord(first.canon).ts) : nextMonth(last.month);
  if (month === undefined) return undefined;
  const [cut] = await audit.checkpointsAfter(closesAt(month) - 1, 1);
  return cut === undefined ? undefined : { month, events: cut.size };
}

async function book({ database }: FiguresPorts, entries: readonly AuditEntry[]): Promise<boolean> {
  const from = entries[0]?.index ?? 0;
  const totals = new FigureTotals();
  for (const { canon } of entries) totals.addEvent(canon);
  const movements = totals.cells();
  return await database.transaction(async (tx) => {
    if (!(await tx.supervision.advance(from, from + entries.length))) return false;
    await tx.supervision.add(movements);
    return true;
  });
}

/** The report of the month, from the totals as they stand at its end. */
async function close({ database, clock }: FiguresPorts, { month, events }: Closing): Promise<boolean> {
  const createdAt = clock.now();
  const body = await database.snapshot(async (reader) => {
    if ((await reader.supervision.position()) !== events) return undefined;
    const checkpoint = await reader.audit.checkpointOver(events);
    if (checkpoint === undefined) throw new KmcError('E_INTEGRITY', 'A checkpoint that was there is gone.');
    const cells = await reader.supervision.totalsFor(periodOf(month));
    return reportBytes(supervisionReport({ month, complete: true, events, note: checkpoint.note }, cells));
  });
  if (body === undefined) return false;
  return await database.transaction((tx) => tx.supervision.insertReport({ month, events, body, createdAt }));
}
