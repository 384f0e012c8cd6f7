import type { Caller } from '../../domain/caller.ts';
import { addDays, figuresOf, type Figures } from '../../domain/supervision/figures.ts';
import { EXPIRING_DAYS } from '../../domain/supervision/report.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';
import { regionsOfReading } from './figure-access.ts';

export interface FiguresQuery {
  /** Code of a region; every region that the caller may see unless told. */
  readonly region?: string;
  /** YYYY-MM-DD; what happened is told of the last 30 days unless told otherwise. */
  readonly from?: string;
  readonly to?: string;
}

export interface ReadFigures {
  readonly figures: Figures;
  /** How many events of the log they are the sum of. */
  readonly events: number;
  readonly at: Date;
}

/** Days of a period at most. */
const LONGEST_DAYS = 366;
const USUAL_DAYS = 30;

/**
 * The figures as they stand, and of what happened in a period.
 * @throws KmcError E_FORBIDDEN; E_NOT_FOUND for a region of others; E_SCHEMA for a period that is none or too long.
 */
export async function readFigures(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  caller: Caller,
  query: FiguresQuery,
): Promise<ReadFigures> {
  const regions = regionsOfReading(caller, query.region);
  const at = clock.now();
  const day = at.toISOString().slice(0, 10);
  const to = query.to ?? day;
  const from = query.from ?? addDays(to, 1 - USUAL_DAYS);
  if (from > to || addDays(from, LONGEST_DAYS) < to) {
    throw new KmcError('E_SCHEMA', `A period begins before it ends, and has ${LONGEST_DAYS} days at most.`);
  }
  const period = { day, from, to, expiringDays: EXPIRING_DAYS };
  return await database.snapshot(async ({ supervision }) => ({
    figures: figuresOf(await supervision.totalsFor(period, regions), period),
    events: await supervision.position(),
    at,
  }));
}
