/** What the acts on applications share: their target, and the event that each leaves. */
import type { AuditAction } from '../../domain/audit/actions.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type TargetState } from '../approvals/action-handler.ts';
import type { ApplicationRow } from '../ports/applications.ts';
import type { Reader, Transaction } from '../ports/database.ts';

/** Status and version of the application. */
export async function applicationTarget(reader: Reader, id: string): Promise<TargetState> {
  const row = await reader.applications.find(id);
  return row === undefined ? ABSENT : { state: row.status, version: String(row.version) };
}

/** @throws KmcError E_NOT_FOUND; E_STATE for one that was ended. */
export async function presentApplication(reader: Reader, id: string): Promise<ApplicationRow> {
  const row = await reader.applications.find(id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no application of that id.');
  if (row.status === 'ended') throw new KmcError('E_STATE', 'The application was ended: register a new one.');
  return row;
}

/** Id of the application that the request is about. */
export function applicationIdOf(act: ApprovedAct): string {
  return act.request.target.split('/')[1] ?? '';
}

export interface ApplicationChange {
  readonly action: AuditAction;
  /** Id of the event, made before the transaction. */
  readonly event: string;
  readonly status: ApplicationRow['status'];
  readonly detail: AuditEventInput['detail'];
  readonly terms?: AuditEventInput['terms'];
}

/** The event of an approved act on an application. */
export function applicationEvent(
  act: ApprovedAct,
  { id, version }: Pick<ApplicationRow, 'id' | 'version'>,
  { action, event, detail, terms }: ApplicationChange,
): AuditEventInput {
  return {
    id: event,
    action,
    outcome: 'success',
    subjects: [{ type: 'application', id, version }],
    ...(terms === undefined ? {} : { terms }),
    actor: act.actor,
    source: act.source,
    approvals: act.approvals,
    detail: { ...detail, request: act.request.id },
  };
}

/**
 * Moves the application as it was read, and appends the event.
 * @throws KmcError E_STALE when it changed at the same time.
 */
export async function changeRow(
  tx: Transaction,
  act: ApprovedAct,
  row: ApplicationRow,
  change: ApplicationChange,
): Promise<void> {
  if (!(await tx.applications.move(row.id, row.version, change.status, act.at, change.event))) {
    throw new KmcError('E_STALE', 'The application changed at the same time. Make a new request.');
  }
  await tx.audit.append(applicationEvent(act, { id: row.id, version: row.version + 1 }, change), act.at);
}
