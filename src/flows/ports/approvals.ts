/** Signed decisions on requests. One person has one decision on a request, under however many accounts. */
import type { RoleName } from '../../domain/roles.ts';

export interface ApprovalRow {
  readonly requestId: string;
  readonly personId: string;
  readonly role: RoleName;
  readonly decision: 'APPROVE' | 'REJECT';
  /** The canonical bytes (JCS) that were signed. */
  readonly body: Buffer;
  /** r || s, 64 octets. */
  readonly signature: Buffer;
  /** DER. */
  readonly certificate: Buffer;
  readonly decidedAt: Date;
  /** Present once withdrawn, with the body and signature of the withdrawal. */
  readonly withdrawal: ApprovalWithdrawal | undefined;
}

export interface ApprovalWithdrawal {
  readonly body: Buffer;
  readonly signature: Buffer;
  readonly certificate: Buffer;
  readonly at: Date;
}

export interface ApprovalReader {
  /** All decisions on a request, withdrawn ones too, in the order of time. */
  of(requestId: string): Promise<ApprovalRow[]>;
}

/** Lock the request first (`requests.lock`): a decision must not slip in beside its execution. */
export interface ApprovalWriter extends ApprovalReader {
  /** False when the person has decided on that request already, even if the decision was withdrawn. */
  insert(row: Omit<ApprovalRow, 'withdrawal'>): Promise<boolean>;
  /** False when the person has no decision on that request, or withdrew it already. */
  withdraw(requestId: string, personId: string, withdrawal: ApprovalWithdrawal): Promise<boolean>;
}
