import { dayOf, requireRegistrable } from '../../domain/registration-authority.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { DeviceRow } from '../ports/devices.ts';

/**
 * Whether the registration authority of the region may register these devices now, in the transaction that inserts them:
 * its row stays locked, so that what is counted is what stands when the transaction ends.
 * @param rows of one region; each names the authority that was found before.
 * @throws KmcError E_POLICY (the region has none, or a profile that it may not use), E_STATE (not in service), E_QUOTA.
 */
export async function admitRegistrations(tx: Transaction, rows: readonly DeviceRow[], at: Date): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const authority = await tx.registrationAuthorities.lockOfRegion(first.region);
  if (authority?.id !== first.registrationAuthority) {
    throw new KmcError('E_POLICY', 'The region has no registration authority, or another one by now. Try again.');
  }
  const registered = await tx.registrationAuthorities.registered(authority.id, dayOf(at));
  requireRegistrable(
    authority,
    registered,
    rows.map(({ profile }) => profile),
  );
}
