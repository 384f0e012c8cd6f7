/** The policy set: what the organisation decides and people approve, read from policies/ and pinned by its digest. */
import { canonicalizeSigned } from '../crypto/jcs.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { KmcError } from '../errors.ts';
import type { QuorumPolicy } from './approval/evaluation.ts';
import type { CryptoPeriods } from './crypto-period.ts';
import type { EnvelopeFamily } from './envelope-family.ts';
import type { ReminderLeads } from './expiry.ts';
import type { PoolRules } from './key-pool.ts';
import type { CertificateProfile, PublicationPolicy, RequiredProfile } from './profile.ts';
import type { QuorumRules } from './quorum.ts';
import type { Region, RegistrationAuthority } from './region.ts';
import type { RegistrationQuota } from './registration-authority.ts';
import type { RolePair } from './roles.ts';
import type { UnusualIssuance } from './supervision/unusual-issuance.ts';
import type { SignedObject, SignedValue } from './signed-body.ts';

/** What a kind of device gets. A marked kind is registered with two approvals (B.5, class L2). */
export interface DeviceProfile {
  /** Names of certificate profiles; `enc` is absent where one certificate serves. */
  readonly sign: string;
  readonly enc?: string;
  readonly marked: boolean;
  /** `hub` devices are held to 100 % in the gates of a root upgrade (A.5). */
  readonly tier: 'hub' | 'edge';
  /** How the encryption key comes to the device. */
  readonly envelope: EnvelopeFamily;
  /** The profile with a pair to which a device of one certificate re-enrols in a root upgrade. */
  readonly successor?: string;
}

export interface EnrolmentLimits {
  readonly tokenInPersonSeconds: number;
  readonly tokenRemoteSeconds: number;
  readonly tokenTries: number;
  readonly tokenLockSeconds: number;
  /** How long the same token with the same key gets the same answer. */
  readonly redeliverySeconds: number;
  /** How long an enrolment may wait for its approval (B.4). */
  readonly pendingSeconds: number;
}

/** Which signatures over end-entity certificates a second implementation checks before they leave. */
export const SIGNATURE_CHECKS = ['all', 'sampled', 'none'] as const;
export type SignatureCheck = (typeof SIGNATURE_CHECKS)[number];

export interface IssuanceLimits {
  readonly signatureCheck: SignatureCheck;
  /** Of so many signatures one is checked, when they are sampled. */
  readonly sampleOneIn: number;
}

export interface RevocationLimits {
  readonly crlIntervalSeconds: number;
  readonly crlValiditySeconds: number;
  readonly deltaCrlIntervalSeconds: number;
  readonly deltaCrlValiditySeconds: number;
  readonly ocspIntervalSeconds: number;
  readonly ocspValiditySeconds: number;
}

export interface KeyLimits {
  /** Time between the approval to destroy a key and its destruction; 7 to 30 days. */
  readonly destroyWindowSeconds: number;
  readonly pools: PoolRules;
}

/** What supervision asks for how often, and from when something is an alarm. */
export interface SupervisionLimits {
  readonly fetchIntervalSeconds: number;
  readonly unreachableAfterSeconds: number;
  readonly renewalOverdueSeconds: number;
  readonly approvalWaitsSeconds: number;
  readonly issuance: UnusualIssuance;
}

/** Figures of the estate: certificates in all, and for each provincial registration authority in service. */
export interface EstateTargets {
  readonly certificates: number;
  readonly perRegistrationAuthority: number;
}

export interface PolicySet {
  /** Stands in requests beside the class; raised with every change. */
  readonly version: string;
  readonly quorums: QuorumRules;
  /** The pairs of the role table and those that policy adds. */
  readonly exclusions: readonly RolePair[];
  readonly profiles: Readonly<Record<string, CertificateProfile>>;
  readonly deviceProfiles: Readonly<Record<string, DeviceProfile>>;
  readonly cryptoPeriods: CryptoPeriods;
  readonly regions: readonly Region[];
  readonly registrationAuthorities: readonly RegistrationAuthority[];
  /** Of an authority that is taken over from before; the others state theirs when they apply. */
  readonly registrationQuota: RegistrationQuota;
  readonly targets: EstateTargets;
  readonly publication: PublicationPolicy;
  readonly enrolment: EnrolmentLimits;
  readonly issuance: IssuanceLimits;
  readonly revocation: RevocationLimits;
  readonly keys: KeyLimits;
  /** For how long a backup counts, and holds key-encryption keys that are to be destroyed; a day at least. */
  readonly backupKeepSeconds: number;
  readonly reminders: ReminderLeads;
  readonly supervision: SupervisionLimits;
  /** Days for which audit events stay online; at least 180. */
  readonly auditRetentionDays: number;
  /** Auditors who cosign the checkpoint over an act of the highest class before its result is handed out. */
  readonly auditCosignatures: number;
}

/** The policy set as canonical JSON (RFC 8785) of the signed profile: numbers as decimal text, absent members left out. */
export function policyText(set: PolicySet): string {
  return canonicalizeSigned(policyBody(set));
}

/** The policy set as it stands in a request: an object of the signed profile. */
export function policyBody(set: PolicySet): SignedObject {
  return Object.fromEntries(Object.entries(set).map(([name, member]) => [name, asSigned(member)]));
}

/** `sm3:<hex>` of a policy set in the form of `policyBody`. @throws KmcError E_JSON. */
export function policyBodyDigest(body: SignedObject): string {
  return textDigest(canonicalizeSigned(body));
}

/** `sm3:<hex>` of the canonical JSON of the policy set; the order and spacing of the files do not matter. */
export function policyDigest(set: PolicySet): string {
  return textDigest(policyText(set));
}

function textDigest(text: string): string {
  return `sm3:${sm3(Buffer.from(text, 'utf8')).toString('hex')}`;
}

function asSigned(value: unknown): SignedValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value)) return value.map((item: unknown) => asSigned(item));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, member]) => (member === undefined ? [] : [[name, asSigned(member)]])),
    );
  }
  throw new KmcError('E_INTERNAL', 'A policy set holds text, whole numbers, booleans, lists and objects only.');
}

/** What of the policy set decides requests. `digest` saves computing it again. */
export function quorumPolicy(set: PolicySet, digest: string = policyDigest(set)): QuorumPolicy {
  return { digest, quorums: set.quorums, regions: set.regions };
}

/**
 * The certificate profile of that name.
 * @throws KmcError E_POLICY when policy holds none.
 */
export function certificateProfile(set: PolicySet, name: RequiredProfile | (string & {})): CertificateProfile {
  const profile = Object.hasOwn(set.profiles, name) ? set.profiles[name] : undefined;
  if (profile === undefined) throw new KmcError('E_POLICY', 'Policy holds no certificate profile of that name.');
  return profile;
}

/**
 * The device profile of that name.
 * @throws KmcError E_POLICY when policy holds none.
 */
export function deviceProfile(set: PolicySet, name: string): DeviceProfile {
  const profile = Object.hasOwn(set.deviceProfiles, name) ? set.deviceProfiles[name] : undefined;
  if (profile === undefined) throw new KmcError('E_POLICY', 'Policy holds no device profile of that name.');
  return profile;
}

/** The profile under which a device gets a pair: its own, or that to which it re-enrols. @throws KmcError E_POLICY. */
export function pairedProfile(set: PolicySet, name: string): string {
  const { enc, successor } = deviceProfile(set, name);
  return enc === undefined && successor !== undefined ? successor : name;
}
