/**
 * What an act on the life of a key is done to: an escrowed key, a version of a managed key, or a managed key, of which the
 * act then moves the current version and every other that takes it.
 */
import { keyActRule, nextKeyState, type KeyAct, type KeyState } from '../../domain/key-state.ts';
import { KmcError } from '../../errors.ts';
import type { TargetState } from '../approvals/action-handler.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import type { ManagedKey, ManagedKeyVersionRow } from '../ports/managed-keys.ts';
import { transitionKey, transitionManagedKey, type KeyChange } from './transition-key.ts';

type LifeTarget =
  | { readonly kind: 'escrowed'; readonly key: EscrowedKeyRow }
  | { readonly kind: 'version'; readonly key: ManagedKeyVersionRow }
  | { readonly kind: 'managed'; readonly key: ManagedKey };

/** The key as it stands after an act; a managed key stands as its current version does. */
export interface MovedKey {
  readonly id: string;
  readonly state: KeyState;
  readonly destroyAfter: Date | undefined;
}

/** @throws KmcError E_INTEGRITY when the version that the key names is not there. */
export function currentVersion(key: ManagedKey): ManagedKeyVersionRow {
  const current = key.versions.find(({ number }) => number === key.currentNumber);
  if (current !== undefined) return current;
  throw new KmcError('E_INTEGRITY', `The managed key ${key.id} has no version ${key.currentNumber}.`);
}

async function find(reader: Reader, id: string): Promise<LifeTarget | undefined> {
  const escrowed = await reader.escrowedKeys.find(id);
  if (escrowed !== undefined) return { kind: 'escrowed', key: escrowed };
  const version = await reader.managedKeys.findVersion(id);
  if (version !== undefined) return { kind: 'version', key: version };
  const managed = await reader.managedKeys.find(id);
  return managed === undefined ? undefined : { kind: 'managed', key: managed };
}

async function present(reader: Reader, id: string): Promise<LifeTarget> {
  const target = await find(reader, id);
  if (target === undefined) throw new KmcError('E_NOT_FOUND', 'There is no key of that id.');
  return target;
}

/** State and version of the target of an act: of a managed key, a number that rises with every change of any version. */
export async function lifeTargetState(reader: Reader, id: string): Promise<TargetState | undefined> {
  const target = await find(reader, id);
  if (target === undefined) return undefined;
  if (target.kind !== 'managed') return { state: target.key.state, version: String(target.key.version) };
  const changes = target.key.versions.reduce((sum, { version }) => sum + version, target.key.version);
  return { state: currentVersion(target.key).state, version: String(changes) };
}

/** @throws KmcError E_NOT_FOUND; E_STATE when the key, or the current version of a managed one, does not take the act. */
export async function requireTakes(reader: Reader, id: string, act: KeyAct): Promise<void> {
  const target = await present(reader, id);
  nextKeyState(act, target.kind === 'managed' ? currentVersion(target.key) : target.key);
}

/**
 * Does the act in a transaction; the events of the versions of a managed key are named after the one that is given.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_CONFLICT (the key changed at the same time).
 */
export async function moveLifeTarget(tx: Transaction, id: string, change: KeyChange): Promise<MovedKey> {
  const target = await present(tx, id);
  if (target.kind === 'escrowed') return await transitionKey(tx, target.key, change);
  if (target.kind === 'version') return await transitionManagedKey(tx, target.key, change);
  const current = currentVersion(target.key);
  const taking = target.key.versions.filter(({ state }) => keyActRule(change.act).from.includes(state));
  const moved = await transitionManagedKey(tx, current, change);
  for (const version of taking.filter((one) => one.id !== current.id)) {
    await transitionManagedKey(tx, version, { ...change, auditEvent: `${change.auditEvent}-${version.number}` });
  }
  return { id: target.key.id, state: moved.state, destroyAfter: moved.destroyAfter };
}
