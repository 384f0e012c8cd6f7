/** The schemas of the policy files: strict, bounded, each value turned into what the domain works with. */
import { z } from 'zod';
import { PERIOD_NAMES, type CryptoPeriod } from '../../domain/crypto-period.ts';
import { EXPIRING_KINDS } from '../../domain/expiry.ts';
import { POOL_NAMES, type PoolRule } from '../../domain/key-pool.ts';
import { SIGNATURE_CHECKS, type DeviceProfile } from '../../domain/policy.ts';
import { ENVELOPE_FAMILIES } from '../../domain/envelope-family.ts';
import { KEY_PURPOSES, PROFILE_EXTENSIONS, type CertificateProfile } from '../../domain/profile.ts';
import { APPROVAL_CLASSES, type QuorumRule } from '../../domain/quorum.ts';
import { REGION_CODE, type Region, type RegistrationAuthority } from '../../domain/region.ts';
import { ROLE_NAMES } from '../../domain/roles.ts';
import { KEY_USAGES } from '../../x509/extensions/key-usage.ts';
import { ALL_KINDS } from '../../x509/lint/certificate-kinds.ts';

const UNIT_SECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);

/** `72h`, `7d`, `15m`, `0s` -> seconds. */
const duration = z
  .string()
  .max(8)
  .regex(/^(?:0|[1-9][0-9]{0,5})[smhd]$/, 'must be a time such as 15m, 72h or 7d')
  .transform((text) => Number(text.slice(0, -1)) * (UNIT_SECONDS.get(text.slice(-1)) ?? Number.NaN));
const count = z.int().min(0).max(1_000_000_000);
const id = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens');
const label = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}]+$/u, 'must not hold control characters');
const regionCode = z.string().regex(REGION_CODE, 'must be six digits in quotation marks');
const address = z
  .string()
  .max(200)
  .regex(
    /^http:\/\/[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~-]+)*$/,
    'must be an http address without a slash at the end',
  );
const oid = z
  .string()
  .max(100)
  .regex(/^[0-2](?:\.(?:0|[1-9][0-9]{0,17}))+$/, 'must be a dotted object identifier');

const quorumRule = z
  .strictObject({
    approvals: count,
    'distinct-roles': count,
    'distinct-units': count,
    'distinct-organisations': count,
    'beyond-one-province': z.boolean(),
    expiry: duration.optional(),
    'longest-window': duration.optional(),
    'cool-down': duration,
  })
  .refine((rule) => (rule.expiry === undefined) !== (rule['longest-window'] === undefined), {
    error: 'must have either expiry or longest-window',
    path: ['expiry'],
  })
  .transform((yaml): QuorumRule => ({
    approvals: yaml.approvals,
    distinctRoles: yaml['distinct-roles'],
    distinctUnits: yaml['distinct-units'],
    distinctOrganisations: yaml['distinct-organisations'],
    beyondOneProvince: yaml['beyond-one-province'],
    expiryKind: yaml.expiry === undefined ? 'stated' : 'fixed',
    expirySeconds: yaml.expiry ?? yaml['longest-window'] ?? 0,
    coolDownSeconds: yaml['cool-down'],
  }));

const profile = z
  .strictObject({
    kind: z.enum(ALL_KINDS),
    'subject-keys': z
      .array(z.enum(['SM2', 'EC-P256', 'RSA']))
      .min(1)
      .max(3),
    validity: duration,
    ca: z.strictObject({ 'path-length': z.int().min(0).max(8).optional() }).optional(),
    'key-usage': z.array(z.enum(KEY_USAGES)).min(1).max(9),
    'key-purposes': z.array(z.enum(KEY_PURPOSES)).max(4).default([]),
    'key-purposes-critical': z.boolean().default(false),
    extensions: z.array(z.enum(PROFILE_EXTENSIONS)).max(PROFILE_EXTENSIONS.length),
    'crl-shards': z.boolean().default(false),
  })
  .transform((yaml): CertificateProfile => {
    const pathLength = yaml.ca?.['path-length'];
    return {
      kind: yaml.kind,
      subjectKeys: yaml['subject-keys'],
      validitySeconds: yaml.validity,
      ...(yaml.ca === undefined ? {} : { ca: pathLength === undefined ? {} : { pathLength } }),
      keyUsage: yaml['key-usage'],
      keyPurposes: yaml['key-purposes'],
      keyPurposesCritical: yaml['key-purposes-critical'],
      extensions: yaml.extensions,
      crlShards: yaml['crl-shards'],
    };
  });

const deviceKind = z
  .strictObject({
    sign: id,
    enc: id.optional(),
    marked: z.boolean(),
    tier: z.enum(['hub', 'edge']),
    envelope: z.enum(ENVELOPE_FAMILIES).default('gmt-0009'),
    successor: id.optional(),
  })
  .transform(({ sign, enc, marked, tier, envelope, successor }): DeviceProfile => ({
    sign,
    ...(enc === undefined ? {} : { enc }),
    marked,
    tier,
    envelope,
    ...(successor === undefined ? {} : { successor }),
  }));

const period = z
  .strictObject({ protect: duration, process: duration.optional(), 'most-blobs': count.optional() })
  .transform((yaml): CryptoPeriod => ({
    originateSeconds: yaml.protect,
    ...(yaml.process === undefined ? {} : { processSeconds: yaml.process }),
    ...(yaml['most-blobs'] === undefined ? {} : { mostBlobs: yaml['most-blobs'] }),
  }));

const pool = z
  .strictObject({
    low: count,
    high: count,
    batch: z.int().min(1).max(1000),
    'on-demand': z.boolean(),
    'needs-backup': z.boolean(),
  })
  .transform((yaml): PoolRule => ({
    low: yaml.low,
    high: yaml.high,
    batch: yaml.batch,
    onDemand: yaml['on-demand'],
    needsBackup: yaml['needs-backup'],
  }));

const region = z
  .strictObject({
    code: regionCode,
    kind: z.enum(['national', 'province', 'corps']),
    en: label,
    zh: label,
  })
  .transform(({ code, kind, en, zh }): Region => ({ code, kind, name: { en, zh } }));
const registrationAuthority = z
  .strictObject({
    id,
    region: regionCode,
    en: label,
    zh: label,
    'in-service': z.boolean(),
  })
  .transform(({ id: name, region: code, en, zh, 'in-service': inService }): RegistrationAuthority => ({
    id: name,
    region: code,
    name: { en, zh },
    inService,
  }));

/** One file each: its name, its `schema` member and its shape. */
const POLICY_SCHEMAS = {
  'quorums.yaml': z.strictObject({
    schema: z.literal('kmc.policy/quorums/1'),
    version: z.string().regex(/^[1-9][0-9]{0,8}$/, 'must be a whole number in quotation marks'),
    classes: z.record(z.enum(APPROVAL_CLASSES), quorumRule),
  }),
  'roles.yaml': z.strictObject({
    schema: z.literal('kmc.policy/roles/1'),
    'never-together': z.array(z.tuple([z.enum(ROLE_NAMES), z.enum(ROLE_NAMES)])).max(100),
  }),
  'profiles.yaml': z.strictObject({
    schema: z.literal('kmc.policy/profiles/1'),
    certificates: z.record(id, profile),
    devices: z.record(id, deviceKind),
  }),
  'crypto-periods.yaml': z.strictObject({
    schema: z.literal('kmc.policy/crypto-periods/1'),
    periods: z.record(z.enum(PERIOD_NAMES), period),
  }),
  'regions.yaml': z.strictObject({
    schema: z.literal('kmc.policy/regions/1'),
    targets: z.strictObject({ certificates: count, 'per-registration-authority': count }),
    quotas: z.strictObject({ devices: count, 'devices-per-day': count }),
    regions: z.array(region).max(100),
    'registration-authorities': z.array(registrationAuthority).max(1000),
  }),
  'addresses.yaml': z.strictObject({
    schema: z.literal('kmc.policy/addresses/1'),
    crl: address.optional(),
    ocsp: address.optional(),
    'ca-issuers': address.optional(),
    'ca-repository': address.optional(),
    'certificate-policy': oid.optional(),
    'bundle-signer': oid.optional(),
  }),
  'limits.yaml': z.strictObject({
    schema: z.literal('kmc.policy/limits/1'),
    enrolment: z.strictObject({
      'token-in-person': duration,
      'token-remote': duration,
      'token-tries': count,
      'token-lock': duration,
      redelivery: duration,
      pending: duration,
    }),
    issuance: z.strictObject({
      'signature-check': z.enum(SIGNATURE_CHECKS),
      'sample-one-in': count,
    }),
    revocation: z.strictObject({
      'crl-interval': duration,
      'crl-validity': duration,
      'delta-crl-interval': duration,
      'delta-crl-validity': duration,
      'ocsp-interval': duration,
      'ocsp-validity': duration,
    }),
    keys: z.strictObject({
      'destroy-window': duration,
      pools: z.record(z.enum(POOL_NAMES), pool),
    }),
    backups: z.strictObject({ keep: duration }),
    reminders: z.record(z.enum(EXPIRING_KINDS), duration),
    supervision: z.strictObject({
      'fetch-interval': duration,
      'unreachable-after': duration,
      'renewal-overdue': duration,
      'approval-waits': duration,
      'issuance-days': count,
      'issuance-deviations': count,
      'issuance-least': count,
    }),
    audit: z.strictObject({ retention: duration, cosignatures: z.int().min(0).max(16) }),
  }),
} as const;

/** All policy files by name. */
export const POLICY_FILES_SCHEMA = z.strictObject(POLICY_SCHEMAS);
export type PolicyFiles = z.output<typeof POLICY_FILES_SCHEMA>;

export type PolicyFileName = keyof PolicyFiles;
