/** Enrolments and their waiting time (enrolment-and-root-upgrade B.4). At most one is open per device, label, operation and key. */
import type { EnrolmentOperation } from '../../domain/enrolment.ts';
import type { Page } from './database.ts';
import type { EnrolmentState } from '../../domain/enrolment-state.ts';

export type { EnrolmentState } from '../../domain/enrolment-state.ts';

export interface EnrolmentKey {
  readonly deviceId: string;
  readonly label: string;
  readonly operation: EnrolmentOperation;
  /** `sm3:<hex>` of the public key asked for: never a digest of the CSR, which a client may build anew. */
  readonly spkiSm3: string;
}

export interface EnrolmentRow extends EnrolmentKey {
  readonly id: string;
  readonly state: EnrolmentState;
  /** Rises by one with every move. */
  readonly version: number;
  /** The CSR as it first came, DER. */
  readonly csr: Buffer;
  readonly tokenId: string | undefined;
  /** The approval request it waits for. */
  readonly requestId: string | undefined;
  /** Serials of the issued certificates, and the authority that issued them. */
  readonly authorityId: string | undefined;
  readonly signSerial: string | undefined;
  readonly encSerial: string | undefined;
  /** SM2EnvelopedKey, DER, sealed to the device's key; erased with the end of `answerUntil`. */
  readonly envelopedKey: Buffer | undefined;
  /** Until then the same key gets the same answer again. */
  readonly answerUntil: Date | undefined;
  /** Version of the trust bundle that stands in that answer. */
  readonly bundleVersion: number | undefined;
  /** For people: why it was rejected. */
  readonly reason: string | undefined;
  readonly createdAt: Date;
  readonly changedAt: Date;
  readonly expiresAt: Date;
  /** Closed rows do not count for the one that may be open. */
  readonly closed: boolean;
}

export interface IssuedEnrolment {
  readonly authorityId: string;
  readonly signSerial: string;
  readonly encSerial?: string;
  readonly envelopedKey?: Buffer;
  readonly answerUntil: Date;
  readonly bundleVersion: number;
}

export interface EnrolmentMove {
  readonly id: string;
  readonly from: { readonly state: EnrolmentState; readonly version: number };
  readonly to: EnrolmentState;
  readonly at: Date;
  readonly requestId?: string;
  readonly issued?: IssuedEnrolment;
  readonly reason?: string;
}

export interface EnrolmentFilter {
  readonly state?: EnrolmentState;
  readonly deviceId?: string;
}

export interface EnrolmentReader {
  find(id: string): Promise<EnrolmentRow | undefined>;
  /** The one that is not closed. */
  findOpen(key: EnrolmentKey): Promise<EnrolmentRow | undefined>;
  list(filter: EnrolmentFilter, page: Page): Promise<EnrolmentRow[]>;
  /** Not closed, in a state that nobody has finished, and past `expiresAt`; the longest overdue first. */
  overdue(now: Date, limit: number): Promise<EnrolmentRow[]>;
}

export interface EnrolmentWriter extends EnrolmentReader {
  /** False when one with the same key is open: of two that come at once one gets in, and both then find the same row. */
  insert(row: EnrolmentRow): Promise<boolean>;
  /** All or nothing. @throws KmcError E_CONFLICT when one with the key of one of them is open. */
  insertAll(rows: readonly EnrolmentRow[]): Promise<void>;
  /**
   * Compare-and-set on state and version; the given details are set, the others stay. REJECTED and EXPIRED close the row.
   * @throws KmcError E_STATE for a step that the table of states does not have.
   */
  move(move: EnrolmentMove): Promise<boolean>;
  /** Closes the row, so that its key may enrol anew. False when it is closed. */
  close(id: string, at: Date): Promise<boolean>;
  /** Closes every open row of a device and erases what it would be given again; returns how many. */
  closeOf(deviceId: string, at: Date): Promise<number>;
  /** Erases the enveloped keys whose `answerUntil` is over and closes their rows; returns how many. */
  eraseDue(now: Date): Promise<number>;
}
