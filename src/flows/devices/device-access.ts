/** Who may see and handle which devices: a registration authority those of its own region, the centre all of them. */
import type { Caller, PersonCaller } from '../../domain/caller.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';

/** Roles that read the devices of every region. */
export const DEVICE_READERS: readonly RoleName[] = [
  'ca-operator',
  'ca-owner',
  'security-administrator',
  'system-administrator',
  'auditor',
];

/** The regions whose devices the caller may read; `all` for the roles of the centre. @throws KmcError E_FORBIDDEN. */
export function readableRegions(caller: Caller): 'all' | readonly string[] {
  if (caller.type === 'system') return 'all';
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'Only registered persons read the devices.');
  if (DEVICE_READERS.some((role) => holdsRoleIn(caller, role))) return 'all';
  const regions = caller.roles.flatMap(({ role, region }) =>
    role === 'ra-operator' && region !== undefined ? [region] : [],
  );
  if (regions.length === 0) throw new KmcError('E_FORBIDDEN', 'This needs the role ra-operator, or one of the centre.');
  return regions;
}

/** The caller as an RA operator of the region. @throws KmcError E_FORBIDDEN. */
export function requireRaOperator(caller: Caller, region: string): PersonCaller {
  if (caller.type === 'person' && holdsRoleIn(caller, 'ra-operator', region)) return caller;
  throw new KmcError('E_FORBIDDEN', 'Only an ra-operator of the region of the device may do this.');
}

/**
 * The device, for a caller who may see it.
 * @throws KmcError E_NOT_FOUND with one text for a device that is absent and one of another region; E_FORBIDDEN.
 */
export async function visibleDevice(reader: Reader, id: string, caller: Caller): Promise<DeviceRow> {
  const regions = readableRegions(caller);
  const device = await reader.devices.find(id);
  if (device !== undefined && (regions === 'all' || regions.includes(device.region))) return device;
  throw new KmcError('E_NOT_FOUND', 'There is no device of that id here.', { concealed: device !== undefined });
}
