import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { readableRegions } from '../devices/device-access.ts';
import type { Clock, Database } from '../ports/database.ts';
import { shownAuthority, type ShownAuthority } from './list-registration-authorities.ts';

/**
 * One registration authority.
 * @throws KmcError E_NOT_FOUND, with one text for one that is absent and one of another region; E_FORBIDDEN.
 */
export async function showRegistrationAuthority(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
  caller: Caller,
  id: string,
): Promise<ShownAuthority> {
  const regions = readableRegions(caller);
  return await database.read(async (reader) => {
    const row = await reader.registrationAuthorities.find(id);
    if (row !== undefined && (regions === 'all' || regions.includes(row.region))) {
      return await shownAuthority(reader, row, clock.now());
    }
    throw new KmcError('E_NOT_FOUND', 'There is no registration authority of that id here.', {
      concealed: row !== undefined,
    });
  });
}
