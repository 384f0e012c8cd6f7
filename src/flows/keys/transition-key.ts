/** The one way in which a key changes its state: looked up in the table of acts, compare-and-set, audit event. */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { keyActRule, nextKeyState, type KeyAct, type KeyStanding } from '../../domain/key-state.ts';
import { KmcError } from '../../errors.ts';
import type { Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow, KeyTransition } from '../ports/escrowed-keys.ts';
import type { ManagedKeyVersionRow } from '../ports/managed-keys.ts';

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

/** What every key that lives by the table has. */
interface LivingKey extends KeyStanding {
  readonly id: string;
  readonly version: number;
}

/** The table that holds it. */
interface KeyTable<Row> {
  transition(transition: KeyTransition): Promise<boolean>;
  find(id: string): Promise<Row | undefined>;
}

/** How the event names the key. */
type KeyNames = Pick<AuditEventInput, 'terms'> & { readonly detail: AuditEventInput['detail'] };

/**
 * Moves an escrowed key as it was read to the state that the act leads to, and appends the event of the act. Part of a
 * transaction: of two that race, one wins.
 * @returns the row as it stands now.
 * @throws KmcError E_STATE when the act is not one of the key's state; E_CONFLICT when the key changed meanwhile.
 */
export async function transitionKey(tx: Transaction, key: EscrowedKeyRow, change: KeyChange): Promise<EscrowedKeyRow> {
  const { terms } = change;
  const names = { detail: { algorithm: key.algorithm, kid: key.spkiSm3 }, ...(terms === undefined ? {} : { terms }) };
  return await move(tx, tx.escrowedKeys, key, change, names);
}

/** As {@link transitionKey}, of a version of a managed key; its events are found under its key too. */
export async function transitionManagedKey(
  tx: Transaction,
  key: ManagedKeyVersionRow,
  change: KeyChange,
): Promise<ManagedKeyVersionRow> {
  const { managedKeys } = tx;
  const versions: KeyTable<ManagedKeyVersionRow> = {
    find: (id) => managedKeys.findVersion(id),
    transition: (transition) => managedKeys.transition(transition),
  };
  const terms = [{ type: 'managed-key', id: key.keyId }, ...(change.terms ?? [])];
  return await move(tx, versions, key, change, { detail: { kid: key.kid }, terms });
}

async function move<Row extends LivingKey>(
  tx: Transaction,
  table: KeyTable<Row>,
  key: Row,
  change: KeyChange,
  names: KeyNames,
): Promise<Row> {
  const { act, auditEvent, at, destroyAfter, reason } = change;
  const to = nextKeyState(act, key);
  const from = { state: key.state, version: key.version };
  const facts = {
    ...(destroyAfter === undefined ? {} : { destroyAfter }),
    ...(reason === undefined ? {} : { reason }),
  };
  if (!(await table.transition({ id: key.id, from, to, at, auditEvent, ...facts }))) {
    throw new KmcError('E_CONFLICT', 'The key changed at the same time. Read it again.');
  }
  await tx.audit.append(keyEvent(key, change, to, names), at);
  const changed = await table.find(key.id);
  if (changed === undefined) throw new KmcError('E_INTERNAL', 'A key is gone after its change.');
  return changed;
}

function keyEvent(key: LivingKey, change: KeyChange, to: LivingKey['state'], names: KeyNames): AuditEventInput {
  const { act, auditEvent, actor, source, approvals, reason, detail } = change;
  return {
    id: auditEvent,
    action: keyActRule(act).audit,
    outcome: 'success',
    subjects: [{ type: 'key', id: key.id, version: key.version + 1 }],
    ...(names.terms === undefined ? {} : { terms: names.terms }),
    actor,
    source,
    ...(approvals === undefined ? {} : { approvals }),
    detail: {
      ...names.detail,
      from: key.state,
      to,
      ...(reason === undefined ? {} : { reason }),
      ...detail,
    },
  };
}
