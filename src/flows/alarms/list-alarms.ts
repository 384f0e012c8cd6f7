import type { Caller } from '../../domain/caller.ts';
import { regionsOfReading } from '../supervision/figure-access.ts';
import type { AlarmFilter, AlarmRow } from '../ports/alarms.ts';
import type { Database, Page } from '../ports/database.ts';

/**
 * A page of alarms: for an ra-operator those of the own region.
 * @throws KmcError E_FORBIDDEN; E_NOT_FOUND for a region of others; E_SCHEMA (limit).
 */
export async function listAlarms(
  { database }: { readonly database: Database },
  caller: Caller,
  filter: AlarmFilter,
  page: Page,
): Promise<AlarmRow[]> {
  const regions = regionsOfReading(caller, filter.region);
  return await database.read(async (reader) => {
    if (regions === undefined) return await reader.alarms.list(filter, page);
    const rows: AlarmRow[] = [];
    for (const region of regions) rows.push(...(await reader.alarms.list({ ...filter, region }, page)));
    return rows.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, page.limit);
  });
}
