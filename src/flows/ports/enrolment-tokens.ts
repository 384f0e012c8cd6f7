/** One-time enrolment tokens (enrolment-and-root-upgrade B.5). The token itself is here only as a sealed blob. */
import type { DeviceRow } from './devices.ts';

/** `issued` waits for its device, `used` answers its one public key again, `revoked` and `expired` are dead. */
export type EnrolmentTokenState = 'issued' | 'used' | 'revoked' | 'expired';

export interface EnrolmentTokenRow {
  readonly id: string;
  readonly deviceId: string;
  readonly label: string;
  readonly state: EnrolmentTokenState;
  /** `sm3:<hex>` of the token, for the look-up of EST; absent once erased. */
  readonly tokenSm3: string | undefined;
  /** Blob suite 1 under the `db-field` key of `kekVersion`; absent once erased. */
  readonly sealedToken: Buffer | undefined;
  readonly kekVersion: number;
  /** Key the token is bound to from the start, where the operator knew it. */
  readonly boundSpkiSm3: string | undefined;
  readonly issuedBy: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** Tries since the last right one. */
  readonly tries: number;
  readonly lockedUntil: Date | undefined;
  /** Once used: when, for which key, and which enrolment. */
  readonly usedAt: Date | undefined;
  readonly usedSpkiSm3: string | undefined;
  readonly enrolmentId: string | undefined;
  /** When digest and sealed token must be erased: 72 h after use, or the expiry. */
  readonly eraseAt: Date;
}

/** After `limit` tries the token stays locked until `lockUntil`. */
export interface TryRule {
  readonly now: Date;
  readonly limit: number;
  readonly lockUntil: Date;
}

export interface TokenUse {
  /** Of the token. */
  readonly id: string;
  readonly spkiSm3: string;
  readonly enrolmentId: string;
  readonly at: Date;
  readonly eraseAt: Date;
}

export interface LiveToken {
  readonly token: EnrolmentTokenRow;
  readonly device: DeviceRow;
}

export interface EnrolmentTokenReader {
  find(id: string): Promise<EnrolmentTokenRow | undefined>;
  findByDigest(tokenSm3: string): Promise<EnrolmentTokenRow | undefined>;
  /** The tokens of a device that are issued or used and not erased, newest first. */
  liveOf(deviceId: string): Promise<EnrolmentTokenRow[]>;
  /** The same, each with the device, in one look. */
  liveWithDevice(deviceId: string): Promise<LiveToken[]>;
  /** Tokens that wait for their device. */
  issued(limit: number): Promise<EnrolmentTokenRow[]>;
  /** How many sealed tokens there are under that version of the `db-field` key. */
  countSealedUnder(kekVersion: number): Promise<number>;
}

export interface EnrolmentTokenWriter extends EnrolmentTokenReader {
  /** False when the id or the digest stands there already. @throws KmcError E_CONFLICT for an unknown device. */
  insert(row: EnrolmentTokenRow): Promise<boolean>;
  /** Reads the row and keeps other transactions from trying or using the token until this one ends. */
  lock(id: string): Promise<EnrolmentTokenRow | undefined>;
  /**
   * Counts a try before the proof is compared, so that parallel tries cannot pass the limit. False while locked: do not
   * compare then. A lock that ran out starts the count anew.
   */
  countTry(id: string, rule: TryRule): Promise<boolean>;
  /** Sets the count back after a right proof. */
  clearTries(id: string): Promise<void>;
  /**
   * `issued` to `used`, and sets the count of tries back; in the transaction that creates the enrolment rows. False when
   * one of them is not `issued`, or locked at that moment; with more than one the transaction must not be committed then.
   */
  use(...uses: readonly TokenUse[]): Promise<boolean>;
  /** `issued` to `revoked`, and erases it. False when it is not `issued`. */
  revoke(id: string): Promise<boolean>;
  /** Erases digest and sealed token of those due, and expires the unused of them; returns how many. */
  eraseDue(now: Date): Promise<number>;
}
