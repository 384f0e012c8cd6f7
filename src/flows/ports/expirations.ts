/** What ends soon, and of what somebody was reminded already. CRLs are found by the newest of each scope instead. */
import type { Expiring, ExpiringKind } from '../../domain/expiry.ts';

/** At most one of them, and only with the kind that it owns. */
export interface ExpiringOwner {
  /** Only what belongs to this device (device certificates). */
  readonly deviceId?: string;
  /** Only what belongs to devices of this region (device certificates). */
  readonly region?: string;
  /** Only what belongs to this person (person certificates). */
  readonly personId?: string;
}

export interface ExpiringFilter extends ExpiringOwner {
  readonly kind: Exclude<ExpiringKind, 'crl' | 'root-crl' | 'trust-bundle'>;
  /** Ends after this time and not after that one. */
  readonly after: Date;
  readonly until: Date;
  /** 1 to 1,000; the first to end come first. */
  readonly limit: number;
}

export interface ExpirationReader {
  /** Without what has a successor that ends later. */
  expiring(filter: ExpiringFilter): Promise<Expiring[]>;
}

export interface ExpirationWriter extends ExpirationReader {
  /** Remembers that this end was told of. False when it was before. */
  remember(expiring: Expiring, at: Date): Promise<boolean>;
}
