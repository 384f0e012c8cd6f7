/** What the requests about people say in their parameters (enrolment-and-root-upgrade D.3). */
import { KmcError } from '../errors.ts';
import type { Person, RoleGrant } from './person.ts';
import { REGION_CODE, type Region } from './region.ts';
import { isRoleName, ROLES, type RoleName } from './roles.ts';
import {
  isSignedObject,
  plainText,
  requireMembers,
  sm3Text,
  textLike,
  type MemberCheck,
  type SignedObject,
} from './signed-body.ts';

/** Whose duties somebody has: the audit side is appointed apart, and nobody stands on both. */
export type Side = 'operating' | 'audit';

export interface Appointment extends Pick<Person, 'name' | 'unit' | 'organisation' | 'region' | 'roles'> {
  /** The self-signed personal certificate that was brought, DER. */
  readonly certificate: Buffer;
  /** `sm3:<hex>`, see crypto/identity-digest.ts. */
  readonly identity?: string;
}

/** Upper bound of the names in a certificate (RFC 5280 A.1, ub-common-name and its like). */
const NAME_LENGTH = 64;
const MAX_ROLES = 8;
const MAX_CERTIFICATE_TEXT = 8192;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** base64 of a certificate (DER). */
export const certificateText: MemberCheck = (value) => {
  const fits = typeof value === 'string' && value !== '' && value.length <= MAX_CERTIFICATE_TEXT && BASE64.test(value);
  return fits ? undefined : 'must be the base64 of a certificate';
};

const regionCode = textLike(REGION_CODE, 'the code of a region');
const roleName: MemberCheck = (value) =>
  typeof value === 'string' && isRoleName(value) ? undefined : 'must be a role of the role table';
const roleList: MemberCheck = (value) =>
  Array.isArray(value) && value.length >= 1 && value.length <= MAX_ROLES
    ? undefined
    : `must be a list of 1 to ${MAX_ROLES} roles`;

function withRegion(
  params: SignedObject,
  checks: Readonly<Record<string, MemberCheck>>,
): Readonly<Record<string, MemberCheck>> {
  return Object.hasOwn(params, 'region') ? { ...checks, region: regionCode } : checks;
}

function requireKnownRegion(regions: readonly Region[], code: string | undefined): void {
  if (code === undefined || regions.some((region) => region.code === code)) return;
  throw new KmcError('E_NOT_FOUND', 'No region has that code. Use a code of policies/regions.yaml.');
}

/**
 * One grant: `role`, and `region` for a regional role only.
 * @throws KmcError E_SCHEMA; E_NOT_FOUND for a region that policy does not know.
 */
export function readRoleGrant(value: SignedObject, regions: readonly Region[]): RoleGrant {
  requireMembers<{ role: RoleName; region?: string }>(value, withRegion(value, { role: roleName }), 'role grant');
  const { role, region } = value;
  if (ROLES[role].regional !== (region !== undefined)) {
    throw new KmcError(
      'E_SCHEMA',
      `${role} ${region === undefined ? 'counts in one region: name it' : 'is not regional: name no region'}.`,
    );
  }
  requireKnownRegion(regions, region);
  return region === undefined ? { role } : { role, region };
}

const APPOINTMENT = {
  name: plainText(NAME_LENGTH),
  unit: plainText(NAME_LENGTH),
  organisation: plainText(NAME_LENGTH),
  roles: roleList,
  certificate: certificateText,
};

interface AppointmentParameters {
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
  readonly region?: string;
  readonly identity?: string;
  readonly roles: readonly unknown[];
  readonly certificate: string;
}

/**
 * The parameters of an appointment. Whether the roles go together and the certificate proves anything is not looked at.
 * @throws KmcError E_SCHEMA; E_NOT_FOUND for a region that policy does not know.
 */
export function readAppointment(params: SignedObject, regions: readonly Region[]): Appointment {
  requireAppointment(params);
  const { name, unit, organisation, region, certificate, identity } = params;
  requireKnownRegion(regions, region);
  const roles = params.roles.map((grant) => readRoleGrant(isSignedObject(grant) ? grant : {}, regions));
  const keys = roles.map((grant) => `${grant.role}@${grant.region ?? ''}`);
  if (new Set(keys).size < keys.length) throw new KmcError('E_SCHEMA', 'A role stands twice in params.roles.');
  return {
    name,
    unit,
    organisation,
    ...(region === undefined ? {} : { region }),
    roles,
    ...(identity === undefined ? {} : { identity }),
    certificate: Buffer.from(certificate, 'base64'),
  };
}

function requireAppointment(params: SignedObject): asserts params is SignedObject & AppointmentParameters {
  const checks = Object.hasOwn(params, 'identity') ? { ...APPOINTMENT, identity: sm3Text } : APPOINTMENT;
  requireMembers<AppointmentParameters>(params, withRegion(params, checks), 'appointment');
}

/** The side of these roles; undefined for none at all, and for those of ceremonies alone. */
export function sideOf(roles: readonly Pick<RoleGrant, 'role'>[]): Side | undefined {
  const kinds = roles.map(({ role }) => ROLES[role].kind);
  if (kinds.includes('audit')) return 'audit';
  return kinds.includes('operating') ? 'operating' : undefined;
}
