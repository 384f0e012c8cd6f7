import { monthOf, requireMonth } from '../../domain/supervision/month.ts';
import { periodOf, reportBytes, supervisionReport } from '../../domain/supervision/report.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';

/**
 * The octets of the report of a month: as it was made when the month was over, or of a month that is not over yet as far
 * as the totals go.
 * @throws KmcError E_SCHEMA for what is no month; E_NOT_FOUND for a month to come, from before the log, or while nothing
 * was booked.
 */
export async function readReport(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  text: string,
): Promise<Buffer> {
  const month = requireMonth(text);
  const now = monthOf(clock.now().toISOString());
  return await database.snapshot(async ({ audit, supervision }) => {
    const made = await supervision.report(month);
    if (made !== undefined) return made.body;
    const last = (await supervision.months()).at(-1)?.month;
    const events = await supervision.position();
    const checkpoint = events === 0 ? undefined : await audit.checkpointOver(events);
    if (checkpoint === undefined || month > now || (last !== undefined && month <= last)) {
      throw new KmcError('E_NOT_FOUND', 'There is no report of that month.');
    }
    const cells = await supervision.totalsFor(periodOf(month));
    return reportBytes(supervisionReport({ month, complete: false, events, note: checkpoint.note }, cells));
  });
}
