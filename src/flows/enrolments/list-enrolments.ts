import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { readableRegions, visibleDevice } from '../devices/device-access.ts';
import type { Database, Page } from '../ports/database.ts';
import type { EnrolmentFilter, EnrolmentRow } from '../ports/enrolments.ts';

/**
 * A page of enrolments: all for the roles of the centre, those of a named device for an ra-operator of its region.
 * @throws KmcError E_FORBIDDEN, E_NOT_FOUND (device), E_SCHEMA (device missing, limit).
 */
export async function listEnrolments(
  ports: { readonly database: Database },
  caller: Caller,
  filter: EnrolmentFilter,
  page: Page,
): Promise<EnrolmentRow[]> {
  const regions = readableRegions(caller);
  if (regions !== 'all' && filter.deviceId === undefined) {
    throw new KmcError('E_SCHEMA', 'Name a device of your region with device=.');
  }
  return await ports.database.read(async (reader) => {
    if (filter.deviceId !== undefined) await visibleDevice(reader, filter.deviceId, caller);
    return await reader.enrolments.list(filter, page);
  });
}
