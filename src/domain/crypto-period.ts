/** Crypto-periods (security-and-faults 3.2): how long a key may protect, how long it may still process what it protected. */
import type { KekPurpose } from '../crypto/engine.ts';
import { KmcError } from '../errors.ts';

export const PERIOD_NAMES = [
  'share-set',
  'master-key',
  'kek',
  'kek-escrow-store',
  'kek-audit-mac',
  'root-signing',
  'issuing-signing',
  'ocsp-signing',
  'transport-signing',
  'audit-log-signing',
  'bundle-signing',
  'person-signing',
  'device-signing',
  'device-encryption',
  'managed-data-encryption',
  'managed-signing',
] as const;
export type PeriodName = (typeof PERIOD_NAMES)[number];

export interface CryptoPeriod {
  /** Seconds from activation in which the key may protect (sign, encrypt, wrap). */
  readonly originateSeconds: number;
  /** Seconds after that in which it may process (verify, decrypt, unwrap); absent: as long as records law asks. */
  readonly processSeconds?: number;
  /** Sealed blobs after which the key is replaced, where use and not time wears it out. */
  readonly mostBlobs?: number;
}

export type CryptoPeriods = Readonly<Record<PeriodName, CryptoPeriod>>;

export type PeriodVerdict = 'before' | 'within' | 'near-end' | 'over';

/** The period of a key-encryption key of the service. */
export function kekPeriod(purpose: KekPurpose): PeriodName {
  if (purpose === 'escrow-store') return 'kek-escrow-store';
  return purpose === 'audit-mac' ? 'kek-audit-mac' : 'kek';
}

/** True when so many blobs stand under a key that it is to be replaced. */
export function isWornOut({ mostBlobs }: CryptoPeriod, blobs: number): boolean {
  return mostBlobs !== undefined && blobs >= mostBlobs * WARN_SHARE;
}

/** Share of the period after which the service warns. */
const WARN_SHARE = 0.8;

/** Where `at` lies in the period in which a key activated at `activatedAt` may protect. Both ends are within. */
export function originatorVerdict(period: CryptoPeriod, activatedAt: Date, at: Date): PeriodVerdict {
  const passed = (at.getTime() - activatedAt.getTime()) / 1000;
  if (passed < 0) return 'before';
  if (passed > period.originateSeconds) return 'over';
  return passed >= period.originateSeconds * WARN_SHARE ? 'near-end' : 'within';
}

/**
 * Refuses to protect with a key outside its period.
 * @throws KmcError E_PERIOD.
 */
export function requireOriginatorPeriod(period: CryptoPeriod, activatedAt: Date, at: Date): void {
  const verdict = originatorVerdict(period, activatedAt, at);
  if (verdict === 'within' || verdict === 'near-end') return;
  throw new KmcError('E_PERIOD', 'The key is outside its crypto-period and protects nothing new. Rotate it.');
}

/**
 * Refuses to process with a key after the end of its processing period.
 * @throws KmcError E_PERIOD.
 */
export function requireProcessingPeriod(period: CryptoPeriod, activatedAt: Date, at: Date): void {
  if (period.processSeconds === undefined) return;
  const end = activatedAt.getTime() + (period.originateSeconds + period.processSeconds) * 1000;
  if (at.getTime() <= end) return;
  throw new KmcError('E_PERIOD', 'The key is past the time in which it may still process. Ask for its archive record.');
}
