/**
 * What a device reports of itself (enrolment-and-root-upgrade A.5): JSON without numbers and nulls, in a signed request. The
 * request is the evidence: what stands here was said by the holder of the device's key.
 */
import { parseStrictJson } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import {
  isObject,
  oneOf,
  plainText,
  requireMembers,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
} from '../signed-body.ts';
import { TRUST_RULES } from '../trust/trust-rules.ts';
import { FLEET_LEVELS, type FleetLevel } from './levels.ts';

export const REPORT_SCHEMA = 'kmc.device-report/1';
export const REPORT_PATH = '/api/v1/devices/self/reports';
/** Octets of a report at most. */
const REPORT_LIMIT = 16_384;
/** Why a device stands where it stands: a rule of the trust library, or the canary proof. */
const REPORT_FAULTS: readonly string[] = [...Object.keys(TRUST_RULES), 'canary'];
const MOST_ANCHORS = 16;

export type ReportedLevel = Exclude<FleetLevel, 'OFFERED'>;

/** The canary proof: what the operational validator of the device said of both chains. */
export interface CanaryAnswer {
  readonly nonce: string;
  readonly leafSm3: string;
  readonly accepted: boolean;
  readonly decoySm3: string;
  readonly decoyAccepted: boolean;
  /** `sm3:<hex>` of the keys of the path that was accepted, leaf first, anchor last; empty when none was. */
  readonly pathSpki: readonly string[];
}

/** The pair that the device works with. */
export interface MigrationProof {
  /** `sm3:<hex>` of the certificates. */
  readonly sign: string;
  readonly enc: string;
  /** When the pair, and a pair of an older generation, last secured a session of the data plane. */
  readonly usedAt: string;
  readonly oldUsedAt?: string;
}

export interface DeviceReport {
  readonly schema: typeof REPORT_SCHEMA;
  readonly level: ReportedLevel;
  readonly bundle: string;
  /** Decimal. */
  readonly bundleVersion: string;
  readonly bundleDigest: string;
  readonly firmware: string;
  /** FETCHED: the rule by which the bundle was refused. */
  readonly fault?: string;
  /** From INSTALLED on: `sm3:<hex>` of the keys of the anchors that really stand in the operational store. */
  readonly anchors?: readonly string[];
  /** VERIFIED. */
  readonly canary?: CanaryAnswer;
  /** MIGRATED. */
  readonly certificates?: MigrationProof;
}

const listOf =
  (most: number, check: MemberCheck): MemberCheck =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every((item) => check(item) === undefined)
      ? undefined
      : `must be a list of at most ${most}, each of which ${check('') ?? 'is empty'}`;
const trueOrFalse: MemberCheck = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const anObject: MemberCheck = (value) => (isObject(value) ? undefined : 'must be an object');

const COMMON = {
  schema: oneOf([REPORT_SCHEMA]),
  level: oneOf(FLEET_LEVELS.slice(1)),
  bundle: textLike(ID, 'the name of a bundle'),
  bundleVersion: textLike(/^[1-9][0-9]{0,8}$/, 'a decimal number from 1'),
  bundleDigest: sm3Text,
  firmware: plainText(64),
} satisfies Readonly<Record<string, MemberCheck>>;
const ANCHORS = { anchors: listOf(MOST_ANCHORS, sm3Text) };

/** The members of each level besides the common ones. */
const MEMBERS: Readonly<Record<ReportedLevel, Readonly<Record<string, MemberCheck>>>> = {
  FETCHED: {},
  INSTALLED: ANCHORS,
  VERIFIED: { ...ANCHORS, canary: anObject },
  MIGRATED: { ...ANCHORS, certificates: anObject },
};
const CANARY: Readonly<Record<keyof CanaryAnswer, MemberCheck>> = {
  nonce: textLike(/^[0-9a-f]{48}$/, 'the nonce of the challenge'),
  leafSm3: sm3Text,
  accepted: trueOrFalse,
  decoySm3: sm3Text,
  decoyAccepted: trueOrFalse,
  pathSpki: listOf(8, sm3Text),
};
const MIGRATION: Readonly<Record<Exclude<keyof MigrationProof, 'oldUsedAt'>, MemberCheck>> = {
  sign: sm3Text,
  enc: sm3Text,
  usedAt: signedTimeText,
};

/** A check of a member that may be left out. */
function given(value: unknown, name: string, check: MemberCheck): Readonly<Record<string, MemberCheck>> {
  return isObject(value) && Object.hasOwn(value, name) ? { [name]: check } : {};
}

function levelOf(value: unknown): ReportedLevel {
  const level = FLEET_LEVELS.slice(1).find((name) => isObject(value) && value['level'] === name);
  if (level !== undefined && level !== 'OFFERED') return level;
  throw new KmcError('E_SCHEMA', `The report must have a level: ${FLEET_LEVELS.slice(1).join(', ')}.`, {
    pointers: [{ pointer: '/level', detail: 'is no level of a report' }],
  });
}

/**
 * Reads a report, whose members depend on its level. Nothing is believed yet.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA with pointers.
 */
export function readDeviceReport(octets: Buffer): DeviceReport {
  const value: unknown = parseStrictJson(octets, { maxBytes: REPORT_LIMIT });
  const level = levelOf(value);
  const fault = level === 'FETCHED' ? given(value, 'fault', oneOf(REPORT_FAULTS)) : {};
  const checks = { ...COMMON, ...MEMBERS[level], ...fault } as Record<keyof DeviceReport, MemberCheck>;
  requireMembers<DeviceReport>(value, checks, 'report of a device');
  if (value.canary !== undefined) requireMembers<CanaryAnswer>(value.canary, CANARY, 'canary proof');
  if (value.certificates !== undefined) {
    const optional = given(value.certificates, 'oldUsedAt', signedTimeText);
    const migration = { ...MIGRATION, ...optional } as Record<keyof MigrationProof, MemberCheck>;
    requireMembers<MigrationProof>(value.certificates, migration, 'proof of migration');
  }
  return value;
}

/** The fault that a report tells of: a refused bundle, or a canary proof that failed. */
export function faultOf({ fault, canary }: DeviceReport): string | undefined {
  if (fault !== undefined) return fault;
  return canary === undefined || (canary.accepted && !canary.decoyAccepted) ? undefined : 'canary';
}
