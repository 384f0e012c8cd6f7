/** The part of every recovery that stands in a transaction: the key as it is then, the row, the event. */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { isRecoverable, type RecoveryKind } from '../../domain/recovery.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import type { RecoveryRow } from '../ports/recoveries.ts';

export interface Recovery extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals'> {
  readonly row: RecoveryRow;
  readonly way: 'at-once' | 'approved';
  readonly detail: AuditEventInput['detail'];
}

const ACTION = {
  user: 'key.recover-user',
  judicial: 'key.recover-judicial',
} as const satisfies Readonly<Record<RecoveryKind, AuditEventInput['action']>>;

/**
 * Records that the key leaves the escrow in the envelope of the row.
 * @param key as it was when it was opened.
 * @throws KmcError E_STATE when it changed meanwhile into a state in which it is not recovered.
 */
export async function recordRecovery(
  tx: Transaction,
  key: EscrowedKeyRow,
  { row, way, detail, actor, source, approvals }: Recovery,
): Promise<void> {
  const present = await tx.escrowedKeys.find(key.id);
  if (present === undefined || present.state !== key.state || !isRecoverable(present.state, way)) {
    throw new KmcError('E_STATE', 'The key changed at the same time. Read it again.');
  }
  await tx.recoveries.insert(row);
  await tx.audit.append(
    {
      id: row.auditEvent,
      action: ACTION[row.kind],
      outcome: 'success',
      subjects: [
        { type: 'key', id: key.id, version: key.version },
        ...(row.requestId === undefined ? [] : [{ type: 'request', id: row.requestId } as const]),
      ],
      terms: [
        { type: 'recovery', id: row.id },
        ...(row.caseId === undefined ? [] : [{ type: 'case', id: row.caseId }]),
        ...(key.owner === undefined ? [] : [{ type: 'authority', id: key.owner.authorityId }]),
      ],
      actor,
      source,
      ...(approvals === undefined ? {} : { approvals }),
      detail: {
        algorithm: key.algorithm,
        kid: key.spkiSm3,
        recovery: row.id,
        ...(row.requestId === undefined ? {} : { request: row.requestId }),
        ...detail,
      },
    },
    row.recoveredAt,
  );
}
