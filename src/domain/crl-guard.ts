/** What a new CRL must not lose of the last one. */
import type { ReadRevokedCertificate } from '../x509/crl.ts';

export interface GuardedEntry {
  readonly serialNumber: string;
  readonly revokedAt: Date;
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/**
 * Entries of the last CRL that the inventory no longer has, or has with another date. An entry on hold is kept by any
 * entry of its serial number: to revoke for good gives it another date. Whether one that is gone was released is for the
 * caller to see.
 */
export function lostEntries(
  last: readonly ReadRevokedCertificate[],
  inventory: readonly GuardedEntry[],
): readonly ReadRevokedCertificate[] {
  const dates = new Map(inventory.map((entry) => [entry.serialNumber, seconds(entry.revokedAt)]));
  return last.filter(({ serialNumber, reason, revocationDate }) => {
    const date = dates.get(serialNumber);
    return reason === 'certificateHold' ? date === undefined : date !== seconds(revocationDate);
  });
}
