/** What a new CRL must not lose of the last one, and what a delta CRL says since its base. */
import type { ReadRevokedCertificate } from '../x509/crl.ts';

export interface GuardedEntry {
  readonly serialNumber: string;
  readonly revokedAt: Date;
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/**
 * The entries of the last CRL beside the inventory, which passes by row for row. An entry on hold is kept by any row of
 * its serial number: to revoke for good gives it another date.
 */
export class CrlGuard {
  readonly #open: Map<string, ReadRevokedCertificate>;

  constructor(last: readonly ReadRevokedCertificate[]) {
    this.#open = new Map(last.map((entry) => [entry.serialNumber, entry]));
  }

  /** Takes the next row of the inventory. @returns the entry of the last CRL that it keeps. */
  see({ serialNumber, revokedAt }: GuardedEntry): ReadRevokedCertificate | undefined {
    const entry = this.#open.get(serialNumber);
    if (entry === undefined) return undefined;
    if (entry.reason !== 'certificateHold' && seconds(entry.revocationDate) !== seconds(revokedAt)) return undefined;
    this.#open.delete(serialNumber);
    return entry;
  }

  /**
   * After the last row: entries of which the inventory has no row any more, or one with another date. Whether one that is
   * gone was released is for the caller to see. What a delta CRL took off its base has no row, and is none of them.
   */
  lost(): readonly ReadRevokedCertificate[] {
    return [...this.#open.values()].filter(({ reason }) => reason !== 'removeFromCRL');
  }
}
