/** Registration authorities: the row says whether one works, policy only which were known from before. */
import type {
  RegisteredCounts,
  RegistrationAuthorityState,
  RegistrationTerms,
} from '../../domain/registration-authority.ts';
import type { Page } from './database.ts';

export interface RegistrationAuthorityRow extends RegistrationTerms {
  readonly id: string;
  /** Code of the region. One authority that is not closed stands in a region. */
  readonly region: string;
  readonly nameEn: string;
  readonly nameZh: string;
  /** Rises by one with every change of the row. */
  readonly version: number;
  readonly appliedAt: Date;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

export interface RegistrationAuthorityFilter {
  readonly region?: string;
  readonly state?: RegistrationAuthorityState;
}

/** What one change sets; what is left out stays. */
export interface RegistrationAuthorityChange {
  readonly state: RegistrationAuthorityState;
  readonly profiles: readonly string[];
  readonly devices: number;
  readonly devicesPerDay: number;
  readonly at: Date;
  readonly auditEvent: string;
}

/** An authority that devices name. */
export interface NamedAuthority {
  readonly id: string;
  readonly region: string;
}

export interface RegistrationAuthorityReader {
  find(id: string): Promise<RegistrationAuthorityRow | undefined>;
  /** The one of the region that is not closed. */
  ofRegion(region: string): Promise<RegistrationAuthorityRow | undefined>;
  list(filter: RegistrationAuthorityFilter, page: Page): Promise<RegistrationAuthorityRow[]>;
  /** Devices of the authority that are not decommissioned, and those registered at `since` or later. */
  registered(id: string, since: Date): Promise<RegisteredCounts>;
  /** Authorities that devices are registered under and that have no row. */
  unknownOfDevices(): Promise<NamedAuthority[]>;
}

export interface RegistrationAuthorityWriter extends RegistrationAuthorityReader {
  /** False when the id, or a region that has one, stands there already. */
  insert(row: RegistrationAuthorityRow): Promise<boolean>;
  /** As `ofRegion`; until the transaction ends nobody else changes it or registers under it. */
  lockOfRegion(region: string): Promise<RegistrationAuthorityRow | undefined>;
  /** Compare-and-set on the version. */
  change(id: string, version: number, change: RegistrationAuthorityChange): Promise<boolean>;
  /** Makes the unused enrolment tokens of its devices worthless and erases them; returns how many. */
  voidTokens(id: string): Promise<number>;
}
