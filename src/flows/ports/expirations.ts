/** What ends soon, and of what somebody was reminded already. CRLs are found by the newest of each scope instead. */
import type { Expiring, ExpiringKind } from '../../domain/expiry.ts';

export interface ExpiringFilter {
  readonly kind: Exclude<ExpiringKind, 'crl' | 'root-crl'>;
  /** Ends after this time and not after that one. */
  readonly after: Date;
  readonly until: Date;
  /** Only what belongs to this device. */
  readonly deviceId?: string;
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
