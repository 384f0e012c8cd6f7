/** The one way in which a key changes its state: looked up in the table of acts, compare-and-set, audit event. */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { keyActRule, nextKeyState, type KeyAct } from '../../domain/key-state.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';

export interface KeyChange extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals' | 'terms'> {
  readonly act: KeyAct;
  /** Id of the event, made before the transaction. */
  readonly auditEvent: string;
  readonly at: Date;
  /** End of the window, where the act opens one. */
  readonly destroyAfter?: Date;
  /** A word for why; it stands in the row and in the event. */
  readonly reason?: string;
  /** What the event says besides: request, note. */
  readonly detail?: AuditEventInput['detail'];
}

/**
 * Moves a key as it was read to the state that the act leads to, and appends the event of the act. Part of a
 * transaction: of two that race, one wins.
 * @returns the row as it stands now.
 * @throws KmcError E_STATE when the act is not one of the key's state; E_CONFLICT when the key changed meanwhile.
 */
export async function transitionKey(tx: Transaction, key: EscrowedKeyRow, change: KeyChange): Promise<EscrowedKeyRow> {
  const { act, auditEvent, at, destroyAfter, reason } = change;
  const to = nextKeyState(act, key);
  const from = { state: key.state, version: key.version };
  const facts = {
    ...(destroyAfter === undefined ? {} : { destroyAfter }),
    ...(reason === undefined ? {} : { reason }),
  };
  if (!(await tx.escrowedKeys.transition({ id: key.id, from, to, at, auditEvent, ...facts }))) {
    throw new KmcError('E_CONFLICT', 'The key changed at the same time. Read it again.');
  }
  await tx.audit.append(keyEvent(key, change, to), at);
  const changed = await tx.escrowedKeys.find(key.id);
  if (changed === undefined) throw new KmcError('E_INTERNAL', 'A key is gone after its change.');
  return changed;
}

function keyEvent(key: EscrowedKeyRow, change: KeyChange, to: EscrowedKeyRow['state']): AuditEventInput {
  const { act, auditEvent, actor, source, approvals, terms, reason, detail } = change;
  return {
    id: auditEvent,
    action: keyActRule(act).audit,
    outcome: 'success',
    subjects: [{ type: 'key', id: key.id, version: key.version + 1 }],
    ...(terms === undefined ? {} : { terms }),
    actor,
    source,
    ...(approvals === undefined ? {} : { approvals }),
    detail: {
      algorithm: key.algorithm,
      from: key.state,
      to,
      kid: key.spkiSm3,
      ...(reason === undefined ? {} : { reason }),
      ...detail,
    },
  };
}
