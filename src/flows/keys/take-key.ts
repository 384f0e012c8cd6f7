/** The moment at which a chosen key goes to its owner: one statement in the transaction of the business rows. */
import { nextKeyState, storeOf } from '../../domain/key-state.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow, KeyOwner } from '../ports/escrowed-keys.ts';

export type OwnedKeyRow = EscrowedKeyRow & { readonly owner: KeyOwner };

/** The chosen row as it will stand once it is taken. @throws KmcError E_STATE unless it is spare. */
export function ownedKey(row: EscrowedKeyRow, owner: KeyOwner, at: Date, auditEvent: string): OwnedKeyRow {
  const state = nextKeyState('activate', row);
  return {
    ...row,
    state,
    store: storeOf(state),
    version: row.version + 1,
    owner,
    activatedAt: at,
    changedAt: at,
    lastAuditEvent: auditEvent,
  };
}

/**
 * Takes the key for its owner; the caller appends the event that the row names. Of any number of callers that chose the
 * same spare key one gets it, in whatever process they run.
 * @throws KmcError E_KEY_TAKEN when somebody else got it: choose another; E_CONFLICT when the serial has a key already.
 */
export async function takeKey(tx: Transaction, key: OwnedKeyRow): Promise<void> {
  // Version 1 was made for its owner and never stood in the pool.
  if (key.version === 1) await tx.escrowedKeys.insertAll([key]);
  else if (!(await tx.escrowedKeys.claim(key))) {
    throw new KmcError('E_KEY_TAKEN', 'Somebody else took the key that was chosen. Choose another one.');
  }
}
