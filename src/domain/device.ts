/** What is registered of a device (enrolment-and-root-upgrade B.5), and the names that its certificates will hold. */
import { KmcError } from '../errors.ts';
import { encodeGeneralNames, type GeneralName } from '../x509/extensions/general-name.ts';
import { encodeName } from '../x509/name.ts';
import { ID } from './id.ts';
import type { Region } from './region.ts';
import { isObject, oneOf, plainText, requireMembers, textLike, type MemberCheck } from './signed-body.ts';

export const DEVICE_KINDS = ['gateway', 'terminal'] as const;
export const DEVICE_STATUSES = ['registered', 'in-service', 'suspended', 'quarantined', 'decommissioned'] as const;

/** What a registration authority says of a device. */
export interface DeviceRegistration {
  readonly id: string;
  readonly kind: (typeof DEVICE_KINDS)[number];
  readonly vendor: string;
  readonly model: string;
  /** As on its label; unique for its vendor. */
  readonly serial: string;
  readonly unit: string;
  /** Name of a device profile of policy. */
  readonly profile: string;
  readonly organization: string;
  readonly commonName: string;
  /** At least one; lower case. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** Devices in one batch at most: the request with all of them is what approvers sign. */
export const BATCH_LIMIT = 500;
/** Alternative names of each kind at most. */
export const NAMES_LIMIT = 16;
/** What PrintableString can hold of a serial number on a label. */
export const DEVICE_SERIAL = /^[A-Za-z0-9](?:[A-Za-z0-9 ./:+-]{0,62}[A-Za-z0-9])?$/;
/** A dNSName in lower case, without wildcard. */
export const DNS_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const IP_ADDRESS = /^[0-9a-f.:]{2,45}$/;

function listOf(check: MemberCheck, least: number): MemberCheck {
  return (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= NAMES_LIMIT &&
    value.every((item) => check(item) === undefined)
      ? undefined
      : `must be a list of ${least} to ${NAMES_LIMIT} names`;
}

const CHECKS: Readonly<Record<keyof DeviceRegistration, MemberCheck>> = {
  id: textLike(ID, 'an identifier'),
  kind: oneOf(DEVICE_KINDS),
  vendor: plainText(64),
  model: plainText(64),
  serial: textLike(DEVICE_SERIAL, 'letters, digits and . / : + - of at most 64 characters'),
  unit: plainText(64),
  profile: textLike(ID, 'the name of a device profile'),
  organization: plainText(64),
  commonName: plainText(64),
  dnsNames: listOf(textLike(DNS_NAME, 'a host name'), 1),
  ipAddresses: listOf(textLike(IP_ADDRESS, 'an IP address'), 0),
};

/**
 * Checks one registration.
 * @throws KmcError E_SCHEMA with a pointer for each fault.
 */
export function readDeviceRegistration(value: unknown): DeviceRegistration {
  requireMembers<DeviceRegistration>(value, CHECKS, 'registration of a device');
  return value;
}

/**
 * The devices of a batch: `value` is the member `devices` of the request.
 * @throws KmcError E_SCHEMA for another shape, an id or a serial twice, none or more than 500.
 */
export function readDeviceBatch(value: unknown): DeviceRegistration[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > BATCH_LIMIT || !value.every(isObject)) {
    throw new KmcError('E_SCHEMA', `A batch lists 1 to ${BATCH_LIMIT} devices.`);
  }
  const devices = value.map(readDeviceRegistration);
  const serials = new Set(devices.map(({ vendor, serial }) => JSON.stringify([vendor, serial])));
  if (new Set(devices.map(({ id }) => id)).size < devices.length || serials.size < devices.length) {
    throw new KmcError('E_SCHEMA', 'A batch holds a device twice. Give each id and each serial number once.');
  }
  return devices;
}

/**
 * The subject that the device's certificates will have: country, region, organisation, unit, name, serial number.
 * @returns Name, DER.
 * @throws KmcError E_SCHEMA for characters that no name holds.
 */
export function deviceSubject(registration: DeviceRegistration, region: Region): Buffer {
  return encodeName(
    [
      { type: 'C', value: 'CN' },
      { type: 'ST', value: region.name.en },
      { type: 'O', value: registration.organization },
      { type: 'OU', value: registration.unit },
      { type: 'CN', value: registration.commonName },
      { type: 'serialNumber', value: registration.serial },
    ],
    'E_SCHEMA',
  );
}

interface TextName {
  readonly type: 'dNSName' | 'iPAddress';
  readonly value: string;
}

/**
 * The registered alternative names as they are stored: a JSON list of `{ type, value }`.
 * @throws KmcError E_SCHEMA for an address that is none.
 */
export function alternativeNamesText({ dnsNames, ipAddresses }: DeviceRegistration): string {
  const names: TextName[] = [
    ...dnsNames.map((value) => ({ type: 'dNSName' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'iPAddress' as const, value })),
  ];
  try {
    encodeGeneralNames(names);
  } catch (cause) {
    throw new KmcError('E_SCHEMA', 'One of the addresses is no IP address.', { cause });
  }
  return JSON.stringify(names);
}

/** The names of `alternativeNamesText`. */
export function readAlternativeNames(text: string): GeneralName[] {
  return (JSON.parse(text) as TextName[]).map(({ type, value }) => ({ type, value }));
}
