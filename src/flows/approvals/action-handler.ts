/** What an approved act does: one handler for each act of the action table, given to the flows as a table. */
import type { ActionName } from '../../domain/action.ts';
import type { CountedApproval } from '../../domain/approval/evaluation.ts';
import type { ApprovalRequest } from '../../domain/approval/request.ts';
import type { AuditActor, AuditApproval, AuditSource } from '../../domain/audit/event.ts';
import type { SignedObject } from '../../domain/signed-body.ts';
import type { Reader, Transaction } from '../ports/database.ts';

/** State and version of a target: `absent` and `0` for what the act is to make. */
export interface TargetState {
  readonly state: string;
  /** Decimal number. */
  readonly version: string;
}

export const ABSENT: TargetState = { state: 'absent', version: '0' };

/** An act that is approved and about to be done. */
export interface ApprovedAct {
  readonly request: ApprovalRequest;
  /** `sm3:<hex>`: the operation id wherever the effect lies outside of the database. */
  readonly requestDigest: string;
  readonly counted: readonly CountedApproval[];
  /** The approvals for the audit events of the act. */
  readonly approvals: readonly AuditApproval[];
  readonly actor: AuditActor;
  readonly source: AuditSource;
  readonly at: Date;
}

/** What came of it, in public values: kept with the execution and answered to repeats. */
export type ExecutionResult = SignedObject;

/** The effect of an act inside the transaction that also records the execution. It may run again: no effect outside of `tx`. */
export type ApplyAct = (tx: Transaction) => Promise<ExecutionResult>;

interface HandlerBase {
  /** State and version of the target now. Compared when the request is made and again when it is executed. */
  readonly target: (reader: Reader, targetId: string, params: SignedObject) => Promise<TargetState>;
  /** Refuses parameters that could never be executed, before anybody approves them. @throws KmcError */
  check?(reader: Reader, targetId: string, params: SignedObject): Promise<void>;
  /** True when there is no cool-down: in an emergency. */
  urgent?(reader: Reader, request: ApprovalRequest): Promise<boolean>;
}

/** The effect lies in the database alone: effect, execution and audit events are one transaction. */
export interface DatabaseHandler extends HandlerBase {
  readonly kind: 'database';
  /** Does what is slow (keys, signatures), then returns what is applied in the transaction. */
  prepare(act: ApprovedAct): Promise<ApplyAct>;
}

/** The effect lies outside (files, a device): an intent is durable before it and the result after it. */
export interface ExternalHandler extends HandlerBase {
  readonly kind: 'external';
  /** Does it under the operation id `requestDigest`: a second call returns the first result and does nothing. */
  act(act: ApprovedAct): Promise<ExecutionResult>;
  /** The result under that operation id, undefined when nothing was done. Throws when it cannot be known now. */
  settled(requestDigest: string): Promise<ExecutionResult | undefined>;
  /** What the database says of the result, in the transaction that ends the execution. */
  record?(tx: Transaction, act: ApprovedAct, result: ExecutionResult): Promise<void>;
}

export type ActionHandler = DatabaseHandler | ExternalHandler;
export type ActionHandlers = Readonly<Partial<Record<ActionName, ActionHandler>>>;
