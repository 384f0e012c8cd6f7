/** Gateways and terminals that a registration authority registered (enrolment-and-root-upgrade B.5). */
import type { Page } from './database.ts';

export type DeviceKind = 'gateway' | 'terminal';

/**
 * `registered` has no certificate yet, `in-service` may call the API, `suspended` may not until an operator says so,
 * `quarantined` reaches trust bundles and re-bootstrap only, `decommissioned` is final.
 */
export type DeviceStatus = 'registered' | 'in-service' | 'suspended' | 'quarantined' | 'decommissioned';

export interface DeviceRow {
  readonly id: string;
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string | undefined;
  /** Code of the region, and the registration authority and unit in it. */
  readonly region: string;
  readonly registrationAuthority: string;
  readonly unit: string;
  /** `hub` for hub and backbone devices, whose gates are at 100 % (A.5). */
  readonly tier: 'hub' | 'standard';
  /** Name of the certificate profile. */
  readonly profile: string;
  /** The registered Name, DER: what a CSR must ask for. */
  readonly subject: Buffer;
  /** The registered subjectAltName entries, JSON array of `{ type, value }`. */
  readonly alternativeNames: string;
  readonly status: DeviceStatus;
  /** Rises by one with every change of the row. */
  readonly version: number;
  /** `sm3:<hex>` of the signing key that the registry knows; absent before the first enrolment. */
  readonly spkiSm3: string | undefined;
  readonly registeredBy: string;
  readonly registeredAt: Date;
  readonly changedAt: Date;
}

export interface DeviceFilter {
  readonly region?: string;
  readonly status?: DeviceStatus;
  readonly kind?: DeviceKind;
}

export interface DeviceCount {
  readonly region: string;
  readonly kind: DeviceKind;
  readonly status: DeviceStatus;
  readonly count: number;
}

export interface KeyBinding {
  /** Of the device, and the version that is to be changed. */
  readonly id: string;
  readonly version: number;
  readonly spkiSm3: string;
  readonly at: Date;
}

export interface DeviceReader {
  find(id: string): Promise<DeviceRow | undefined>;
  findBySerial(vendor: string, serial: string): Promise<DeviceRow | undefined>;
  /** Devices of any vendor with that serial number, in the order of ids. */
  listBySerial(serial: string, limit: number): Promise<DeviceRow[]>;
  findByKey(spkiSm3: string): Promise<DeviceRow | undefined>;
  list(filter: DeviceFilter, page: Page): Promise<DeviceRow[]>;
  /** One row for each region, kind and status that occurs. */
  counts(): Promise<DeviceCount[]>;
}

export interface DeviceWriter extends DeviceReader {
  /** False when the id, or the serial of that vendor, is registered already. */
  insert(row: DeviceRow): Promise<boolean>;
  /** All or nothing. @throws KmcError E_CONFLICT when one of them is registered already. */
  insertAll(rows: readonly DeviceRow[]): Promise<void>;
  /** The device; nobody else changes it, or refers to it anew, until the transaction ends. */
  lock(id: string): Promise<DeviceRow | undefined>;
  /** Compare-and-set on the version. */
  setStatus(id: string, version: number, status: DeviceStatus, at: Date): Promise<boolean>;
  /**
   * Binds signing keys and puts the devices in service. Compare-and-set on the versions: false when one of them has
   * another; with more than one the transaction must not be committed then.
   * @throws KmcError E_CONFLICT when a key is another device's.
   */
  bindKey(...bindings: readonly KeyBinding[]): Promise<boolean>;
  /** Records the firmware that the device reported. Compare-and-set on the version. */
  setFirmware(id: string, version: number, firmware: string, at: Date): Promise<boolean>;
}
