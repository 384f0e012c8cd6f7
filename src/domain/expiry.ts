/** What ends some day and must be replaced before: each kind has its lead time in policy. */

export const EXPIRING_KINDS = [
  'device-certificate',
  'service-certificate',
  'person-certificate',
  'authority',
  'crl',
  'root-crl',
  'trust-bundle',
] as const;
export type ExpiringKind = (typeof EXPIRING_KINDS)[number];

/** Seconds before its end from which each kind is reminded of. */
export type ReminderLeads = Readonly<Record<ExpiringKind, number>>;

/** One thing that ends soon, or ended a short while ago and was not replaced. */
export interface Expiring {
  readonly kind: ExpiringKind;
  /** Of the certificate, person, or authority. */
  readonly id: string;
  /** What people call it: the device, the profile, the scope of a CRL. */
  readonly name: string;
  readonly endsAt: Date;
}
