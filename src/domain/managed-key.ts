/**
 * Managed keys (issue of the data-encryption service): what kinds there are, what each may be used for, and which of its
 * versions may do so now. Versions live by the table of key states (key-state.ts); a key stands as its current version does.
 */
import { KmcError } from '../errors.ts';
import {
  requireOriginatorPeriod,
  requireProcessingPeriod,
  type CryptoPeriods,
  type PeriodName,
} from './crypto-period.ts';
import { KEY_STATES, type KeyState } from './key-state.ts';

export const KEY_OPERATIONS = ['encrypt', 'decrypt', 'rewrap', 'data-key', 'sign', 'verify', 'mac'] as const;
export type KeyOperation = (typeof KEY_OPERATIONS)[number];

export interface ManagedKeyKind {
  /** As it is shown. */
  readonly algorithm: 'SM4' | 'SM2' | 'HMAC-SM3';
  /** Octets of a symmetric key; absent for a key pair. */
  readonly secretOctets?: number;
  /** `usage` of the context that its blobs are sealed under: no key passes for one of another kind. */
  readonly usage: string;
  readonly operations: readonly KeyOperation[];
  readonly period: PeriodName;
  /** Signing keys belong to the KMC alone and never leave it. */
  readonly mayLeave: boolean;
}

const MANAGED_KEY_KINDS = {
  sm4: {
    algorithm: 'SM4',
    secretOctets: 16,
    usage: 'data',
    operations: ['encrypt', 'decrypt', 'rewrap', 'data-key'],
    period: 'managed-data-encryption',
    mayLeave: true,
  },
  'sm2-encrypt': {
    algorithm: 'SM2',
    usage: 'data-envelope',
    operations: ['encrypt', 'decrypt', 'rewrap', 'data-key'],
    period: 'managed-data-encryption',
    mayLeave: true,
  },
  'sm2-sign': {
    algorithm: 'SM2',
    usage: 'data-sign',
    operations: ['sign', 'verify'],
    period: 'managed-signing',
    mayLeave: false,
  },
  'hmac-sm3': {
    algorithm: 'HMAC-SM3',
    secretOctets: 32,
    usage: 'data-mac',
    operations: ['mac', 'verify'],
    period: 'managed-data-encryption',
    mayLeave: true,
  },
} as const satisfies Readonly<Record<string, ManagedKeyKind>>;
export type ManagedKeyKindName = keyof typeof MANAGED_KEY_KINDS;
export const MANAGED_KEY_KIND_NAMES = ['sm4', 'sm2-encrypt', 'sm2-sign', 'hmac-sm3'] as const;

/** The rule of a kind. */
export function managedKeyKind(name: ManagedKeyKindName): ManagedKeyKind {
  return MANAGED_KEY_KINDS[name];
}

/** Uses of one version at the most that a policy of a key may state. */
export const LARGEST_USE_LIMIT = 1_000_000_000_000;

/** Id of a version, e.g. `mk-01j...-v2`: it is a key of its own in the table of states, in acts and in the audit log. */
export function versionId(keyId: string, number: number): string {
  return `${keyId}-v${number}`;
}

/** @throws KmcError E_USAGE when keys of the kind do not do that. */
export function requireOperation(kind: ManagedKeyKindName, operation: KeyOperation): void {
  if (managedKeyKind(kind).operations.includes(operation)) return;
  throw new KmcError('E_USAGE', `A key of the kind ${kind} is not for ${operation}.`);
}

/** What of a version decides whether it may be used. */
export interface VersionStanding {
  readonly state: KeyState;
  readonly activatedAt: Date;
}

function refused(state: KeyState): KmcError {
  return new KmcError('E_STATE', `The key is ${state} and may not be used so now.`);
}

/**
 * Refuses to protect with the current version of a key.
 * @throws KmcError E_STATE; E_PERIOD outside of its crypto-period.
 */
export function requireProtecting(
  kind: ManagedKeyKindName,
  { state, activatedAt }: VersionStanding,
  periods: CryptoPeriods,
  at: Date,
): void {
  if (!KEY_STATES[state].protects) throw refused(state);
  requireOriginatorPeriod(periods[managedKeyKind(kind).period], activatedAt, at);
}

/** States of the current version in which nothing is done with any version: people stopped the key. */
const STOPPED: readonly KeyState[] = ['suspended', 'destroy-pending'];

/**
 * Refuses to process with a version. What a compromised version protected must still be read, to be protected anew.
 * @throws KmcError E_STATE; E_PERIOD after its processing period.
 */
export function requireProcessing(
  kind: ManagedKeyKindName,
  version: VersionStanding,
  current: VersionStanding,
  periods: CryptoPeriods,
  at: Date,
): void {
  if (STOPPED.includes(current.state)) throw refused(current.state);
  const { processes } = KEY_STATES[version.state];
  if (processes !== 'yes' && processes !== 'warned') throw refused(version.state);
  requireProcessingPeriod(periods[managedKeyKind(kind).period], version.activatedAt, at);
}

/** Uses that a process reserves at once: what a crash loses at the most. */
const BLOCK = 500;

/**
 * How many uses a process reserves when it needs `wanted` and `left` remain under the limit (undefined: no limit). A
 * quarter of what is left at the most, so that several processes share the end of a limit. 0 when there are too few left.
 */
export function useBlock(wanted: number, left: number | undefined): number {
  if (left === undefined) return Math.max(wanted, BLOCK);
  if (left < wanted) return 0;
  return Math.max(wanted, Math.min(BLOCK, Math.floor(left / 4)));
}
