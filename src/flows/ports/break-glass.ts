/** Sealed accounts, the sessions they opened, the reviews of these, and whether issuance is paused. */
import type { RegisteredSeal, SealedAccountId, SessionSpan } from '../../domain/break-glass.ts';

export interface SealedAccountRow extends RegisteredSeal {
  readonly kid: string;
  /** DER. */
  readonly certificate: Buffer;
  /** Rises by one with every sealing and every use. */
  readonly version: number;
  /** When it was sealed in its bag. */
  readonly sealedAt: Date;
  readonly lastAuditEvent: string;
}

export interface BreakGlassRow extends SessionSpan {
  readonly id: string;
  readonly reason: string;
  /** JSON: the signed statements that opened it. */
  readonly statements: string;
  readonly lastAuditEvent: string;
}

export interface BreakGlassReview {
  readonly session: string;
  /** The auditor. */
  readonly person: string;
  /** `sm3:<hex>` of the report that was reviewed. */
  readonly report: string;
  readonly findings: string;
  readonly at: Date;
}

export interface IssuancePause {
  readonly pausedAt: Date;
  readonly reason: string;
  /** The session in which it was paused. */
  readonly session: string;
  readonly lastAuditEvent: string;
}

export interface BreakGlassReader {
  accounts(): Promise<SealedAccountRow[]>;
  accountByCertificate(certificateSm3: string): Promise<SealedAccountRow | undefined>;
  accountByKey(kid: string): Promise<SealedAccountRow | undefined>;
  find(session: string): Promise<BreakGlassRow | undefined>;
  /** The session that nobody ended yet, its time may be over. */
  unended(): Promise<BreakGlassRow | undefined>;
  /** All of them, oldest first. */
  sessions(): Promise<BreakGlassRow[]>;
  /** In the order of time. */
  reviews(session: string): Promise<BreakGlassReview[]>;
  pause(): Promise<IssuancePause | undefined>;
}

export interface BreakGlassWriter extends BreakGlassReader {
  /** Seals an account that was never sealed, or, by compare-and-set on the version, one that was. False when it changed. */
  seal(account: Omit<SealedAccountRow, 'version' | 'state'>, before: number | undefined): Promise<boolean>;
  /** The bag is broken. False unless it is sealed in that version. */
  use(id: SealedAccountId, version: number, auditEvent: string): Promise<boolean>;
  /** False when a session of that id was there, or another one is not ended. */
  open(session: Omit<BreakGlassRow, 'endedAt'>): Promise<boolean>;
  /** False when it was ended. */
  end(session: string, at: Date, auditEvent: string): Promise<boolean>;
  /** False when this person has reviewed that session. */
  review(review: BreakGlassReview): Promise<boolean>;
  /** False when issuance is paused already. */
  pauseIssuance(pause: IssuancePause): Promise<boolean>;
  /** False when it is not paused. */
  resumeIssuance(): Promise<boolean>;
}
