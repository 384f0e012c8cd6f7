import { auditText } from '../../domain/audit/detail.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { alternativeNamesText, deviceSubject, type DeviceRegistration } from '../../domain/device.ts';
import { certificateProfile, deviceProfile, type PolicySet } from '../../domain/policy.ts';
import { findRegion } from '../../domain/region.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceRow, DeviceStatus } from '../ports/devices.ts';
import type { RegistrationAuthorityRow } from '../ports/registration-authorities.ts';

/**
 * The registration authority of a region (a code), whatever its state.
 * @throws KmcError E_NOT_FOUND (region); E_POLICY when the region has none.
 */
export async function authorityOfRegion(
  policies: PolicySet,
  reader: Reader,
  region: string,
): Promise<RegistrationAuthorityRow> {
  findRegion(policies.regions, region);
  const authority = await reader.registrationAuthorities.ofRegion(region);
  if (authority !== undefined) return authority;
  throw new KmcError('E_POLICY', 'The region has no registration authority: bring one into service first.');
}

/**
 * The row of a device that is registered under an authority, in its region.
 * @throws KmcError E_POLICY (no such profile), E_SCHEMA (names).
 */
export function deviceRow(
  policies: PolicySet,
  registration: DeviceRegistration,
  { id: registrationAuthority, region }: Pick<RegistrationAuthorityRow, 'id' | 'region'>,
  by: { readonly person: string; readonly at: Date; readonly status?: DeviceStatus },
): DeviceRow {
  const profile = deviceProfile(policies, registration.profile);
  certificateProfile(policies, profile.sign);
  return {
    id: registration.id,
    kind: registration.kind,
    vendor: registration.vendor,
    model: registration.model,
    serial: registration.serial,
    firmware: undefined,
    region,
    registrationAuthority,
    unit: registration.unit,
    tier: profile.tier === 'hub' ? 'hub' : 'standard',
    profile: registration.profile,
    subject: deviceSubject(registration, findRegion(policies.regions, region)),
    alternativeNames: alternativeNamesText(registration),
    status: by.status ?? 'registered',
    version: 1,
    spkiSm3: undefined,
    registeredBy: by.person,
    registeredAt: by.at,
    changedAt: by.at,
  };
}

/** What the events of a device say of it, so that it is counted where it belongs. */
export function deviceDetail(row: DeviceRow): AuditEventInput['detail'] {
  return {
    model: auditText(row.model),
    profile: row.profile,
    region: row.region,
    registrationAuthority: row.registrationAuthority,
  };
}

/** The event of a device that was registered. */
export function registrationEvent(
  row: DeviceRow,
  event: Pick<AuditEventInput, 'id' | 'actor' | 'source' | 'approvals'>,
): AuditEventInput {
  return {
    ...event,
    action: 'device.register',
    outcome: 'success',
    subjects: [{ type: 'device', id: row.id, version: 1 }],
    terms: [{ type: 'registration-authority', id: row.registrationAuthority }],
    detail: { ...deviceDetail(row), vendor: auditText(row.vendor), to: row.status },
  };
}
