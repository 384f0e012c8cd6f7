/** What a new CRL must not lose of the last one. */
import type { ReadRevokedCertificate } from '../x509/crl.ts';

export interface GuardedEntry {
  readonly serialNumber: string;
  readonly revokedAt: Date;
}

/**
 * Serial numbers that the last CRL holds and the inventory no longer does, or with another date: only a release from
 * hold (entries with reason certificateHold) may take an entry away.
 */
export function lostEntries(
  last: readonly ReadRevokedCertificate[],
  inventory: readonly GuardedEntry[],
): readonly string[] {
  const now = new Map(inventory.map((entry) => [entry.serialNumber, Math.floor(entry.revokedAt.getTime() / 1000)]));
  return last
    .filter((entry) => entry.reason !== 'certificateHold')
    .filter((entry) => now.get(entry.serialNumber) !== Math.floor(entry.revocationDate.getTime() / 1000))
    .map((entry) => entry.serialNumber);
}
