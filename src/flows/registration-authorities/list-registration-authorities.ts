import type { Caller } from '../../domain/caller.ts';
import { dayOf, type RegisteredCounts } from '../../domain/registration-authority.ts';
import { KmcError } from '../../errors.ts';
import { readableRegions } from '../devices/device-access.ts';
import type { Clock, Database, Page, Reader } from '../ports/database.ts';
import type { RegistrationAuthorityFilter, RegistrationAuthorityRow } from '../ports/registration-authorities.ts';
import { operatorsOf } from './authority-act.ts';

export interface ShownAuthority {
  readonly row: RegistrationAuthorityRow;
  readonly registered: RegisteredCounts;
  /** Ids of the people who can work as its operators now. */
  readonly operators: readonly string[];
}

interface ListPorts {
  readonly database: Database;
  readonly clock: Clock;
}

/** An authority with what it registered and who can work in it. */
export async function shownAuthority(reader: Reader, row: RegistrationAuthorityRow, at: Date): Promise<ShownAuthority> {
  const operators = await operatorsOf(reader, row.region, at);
  return {
    row,
    registered: await reader.registrationAuthorities.registered(row.id, dayOf(at)),
    operators: operators.map(({ id }) => id),
  };
}

/**
 * A page of the registration authorities that the caller may see: an ra-operator the one of the own region.
 * @throws KmcError E_FORBIDDEN (no role that reads them); E_NOT_FOUND for a region of others; E_SCHEMA (limit).
 */
export async function listRegistrationAuthorities(
  { database, clock }: ListPorts,
  caller: Caller,
  filter: RegistrationAuthorityFilter,
  page: Page,
): Promise<ShownAuthority[]> {
  const regions = readableRegions(caller);
  if (regions !== 'all' && filter.region !== undefined && !regions.includes(filter.region)) throw notOfCaller();
  return await database.read(async (reader) => {
    const rows =
      regions === 'all' || filter.region !== undefined
        ? await reader.registrationAuthorities.list(filter, page)
        : await ofRegions(reader, regions, filter, page);
    const shown: ShownAuthority[] = [];
    for (const row of rows) shown.push(await shownAuthority(reader, row, clock.now()));
    return shown;
  });
}

/** The query is by region, so that rows of others are not even read. */
async function ofRegions(
  reader: Reader,
  regions: readonly string[],
  filter: RegistrationAuthorityFilter,
  page: Page,
): Promise<RegistrationAuthorityRow[]> {
  const rows: RegistrationAuthorityRow[] = [];
  for (const region of regions) rows.push(...(await reader.registrationAuthorities.list({ ...filter, region }, page)));
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, page.limit);
}

function notOfCaller(): KmcError {
  return new KmcError('E_NOT_FOUND', 'That is not a region of yours.', { concealed: true });
}
