/** Requests for an approval (enrolment-and-root-upgrade D.2, D.4). What was asked never changes; only the state moves. */
import type { ActionName } from '../../domain/action.ts';
import type { RequestState } from '../../domain/approval/state.ts';
import type { ApprovalClass } from '../../domain/quorum.ts';
import type { Page } from './database.ts';

export interface RequestRow {
  readonly id: string;
  /** `sm3:<hex>` over the canonical request. */
  readonly digest: string;
  /** The canonical bytes (JCS) that the digest covers. */
  readonly canonical: Buffer;
  readonly op: ActionName;
  readonly class: ApprovalClass;
  readonly state: RequestState;
  /** Rises by one with every move. */
  readonly version: number;
  /** Person id, or `authority/<id>` or `system/<id>`. */
  readonly proposer: string;
  /** `<kind>/<id>` with the state and version that the target must still have at execution. */
  readonly target: string;
  readonly preState: string;
  readonly targetVersion: string;
  readonly policyDigest: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** When the quorum was last reached: the cool-down counts from here. */
  readonly quorumAt: Date | undefined;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

export interface RequestMove {
  readonly id: string;
  readonly from: { readonly state: RequestState; readonly version: number };
  readonly to: RequestState;
  readonly at: Date;
  /** Id of the event that is appended in the same transaction. */
  readonly auditEvent: string;
}

export interface RequestFilter {
  readonly state?: RequestState;
  readonly op?: ActionName;
  readonly proposer?: string;
  readonly target?: string;
}

export interface RequestReader {
  find(id: string): Promise<RequestRow | undefined>;
  findByDigest(digest: string): Promise<RequestRow | undefined>;
  list(filter: RequestFilter, page: Page): Promise<RequestRow[]>;
  /** Requests whose time is over and whose state is not final, oldest expiry first. */
  overdue(now: Date, limit: number): Promise<RequestRow[]>;
  /** Requests that stand in EXECUTING since before `since`: for the reconciler. */
  stuck(since: Date, limit: number): Promise<RequestRow[]>;
}

export interface RequestWriter extends RequestReader {
  /** False when the id or the digest stands there already. */
  insert(row: RequestRow): Promise<boolean>;
  /** Reads the row and keeps other transactions from changing it, or deciding on it, until this one ends. */
  lock(id: string): Promise<RequestRow | undefined>;
  /** Compare-and-set on state and version. A move to QUORUM sets `quorumAt`. Knows no rules: the domain does. */
  move(move: RequestMove): Promise<boolean>;
}
