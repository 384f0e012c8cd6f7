import { auditText } from '../../domain/audit/detail.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { alternativeNamesText, deviceSubject, type DeviceRegistration } from '../../domain/device.ts';
import { certificateProfile, deviceProfile, type PolicySet } from '../../domain/policy.ts';
import { findRegion } from '../../domain/region.ts';
import { KmcError } from '../../errors.ts';
import type { DeviceRow, DeviceStatus } from '../ports/devices.ts';

/**
 * The row of a device that is registered in `region` (a code).
 * @throws KmcError E_NOT_FOUND (region), E_POLICY (no such profile, or no registration authority in service there),
 * E_SCHEMA (names).
 */
export function deviceRow(
  policies: PolicySet,
  registration: DeviceRegistration,
  region: string,
  by: { readonly person: string; readonly at: Date; readonly status?: DeviceStatus },
): DeviceRow {
  const profile = deviceProfile(policies, registration.profile);
  certificateProfile(policies, profile.sign);
  const authority = policies.registrationAuthorities.find((one) => one.region === region && one.inService);
  if (authority === undefined) {
    throw new KmcError('E_POLICY', 'Policy has no registration authority in service in that region.');
  }
  return {
    id: registration.id,
    kind: registration.kind,
    vendor: registration.vendor,
    model: registration.model,
    serial: registration.serial,
    firmware: undefined,
    region,
    registrationAuthority: authority.id,
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
