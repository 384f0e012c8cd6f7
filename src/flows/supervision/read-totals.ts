import type { FigureCell } from '../../domain/supervision/measures.ts';
import type { Database } from '../ports/database.ts';

export interface ReadTotals {
  /** How many events of the log they are the sum of. */
  readonly events: number;
  readonly totals: readonly FigureCell[];
}

/** Every total with the place in the log up to which they go, at one moment: what an auditor holds against a copy. */
export async function readTotals({ database }: { readonly database: Database }): Promise<ReadTotals> {
  return await database.snapshot(async ({ supervision }) => ({
    events: await supervision.position(),
    totals: await supervision.totals(),
  }));
}
