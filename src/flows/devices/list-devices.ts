import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import type { Database, Page } from '../ports/database.ts';
import type { DeviceFilter, DeviceRow } from '../ports/devices.ts';
import { readableRegions } from './device-access.ts';

/**
 * A page of the devices that the caller may see. An ra-operator of one region sees that region; one of several names it.
 * @throws KmcError E_NOT_FOUND for a region of others; E_FORBIDDEN (no role that reads devices), E_SCHEMA (region missing,
 * limit).
 */
export async function listDevices(
  ports: { readonly database: Database },
  caller: Caller,
  filter: DeviceFilter,
  page: Page,
): Promise<DeviceRow[]> {
  const regions = readableRegions(caller);
  const region = filter.region ?? (regions !== 'all' && regions.length === 1 ? regions[0] : undefined);
  if (regions !== 'all') {
    if (region === undefined) throw new KmcError('E_SCHEMA', 'Name one of your regions with region=.');
    if (!regions.includes(region)) {
      throw new KmcError('E_NOT_FOUND', 'That is not a region of yours.', { concealed: true });
    }
  }
  return await ports.database.read((reader) =>
    reader.devices.list({ ...filter, ...(region === undefined ? {} : { region }) }, page),
  );
}
