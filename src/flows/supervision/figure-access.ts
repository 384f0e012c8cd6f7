/** Who reads which figures: a registration authority those of its own region, the centre all of them. */
import type { Caller } from '../../domain/caller.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { DEVICE_READERS, readableRegions } from '../devices/device-access.ts';

/** Roles that read the figures of every region, and the reports. */
export const FIGURE_READERS: readonly RoleName[] = [...DEVICE_READERS, 'audit-administrator'];

/**
 * The regions that a reading is about; undefined for all of them.
 * @throws KmcError E_FORBIDDEN (no role that reads figures); E_NOT_FOUND for a region of others.
 */
export function regionsOfReading(caller: Caller, region: string | undefined): readonly string[] | undefined {
  const isCentral = caller.type === 'person' && FIGURE_READERS.some((role) => holdsRoleIn(caller, role));
  const readable = isCentral ? 'all' : readableRegions(caller);
  if (region === undefined) return readable === 'all' ? undefined : readable;
  if (readable === 'all' || readable.includes(region)) return [region];
  throw new KmcError('E_NOT_FOUND', 'That is not a region of yours.', { concealed: true });
}
