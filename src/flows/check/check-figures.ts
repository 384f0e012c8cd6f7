import { differencesOf, FigureTotals } from '../../domain/supervision/totals.ts';
import type { Reader } from '../ports/database.ts';
import { Findings, type InvariantResult } from './findings.ts';

const PAGE = 2_000;

/** I20: every total of supervision is what the events give up to the place that the totals state. */
export async function checkFigures({ audit, supervision }: Reader): Promise<InvariantResult> {
  const found = new Findings();
  const position = await supervision.position();
  const totals = new FigureTotals();
  for (let from = 0; from < position; from += PAGE) {
    const entries = await audit.entries(from, Math.min(PAGE, position - from));
    for (const { canon } of entries) totals.addEvent(canon);
    found.checked += entries.length;
    if (entries.length === 0) break;
  }
  if (found.checked < position) found.add(`the totals state ${position} events, the log has ${found.checked}`);
  for (const { figure, stated, computed } of differencesOf(await supervision.totals(), totals.cells())) {
    found.add(`${figure}: ${stated} is stated, the events give ${computed}`);
  }
  return found.result('I20', 'every total of supervision is what the events of the log give');
}
