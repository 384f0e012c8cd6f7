import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { KeyAct } from '../../domain/key-state.ts';
import type { Instance } from '../instance.ts';
import { moveLifeTarget, type MovedKey } from './life-target.ts';

/**
 * What one person may do to a key, since nothing is lost by it: archive it to the history store (历史库) once it was
 * replaced, and end the window of a destruction before its time.
 */
export type KeyCommandName = KeyAct & ('deactivate' | 'cancel-destruction');

export interface KeyCommand {
  readonly keyId: string;
  readonly act: KeyCommandName;
  /** For people: why. */
  readonly reason: string;
  readonly requestId?: string;
}

/**
 * Does it. A key whose destruction is cancelled stands where it stood before, compromised if it ever was.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_CONFLICT (the key changed at the same time).
 */
export async function commandKey(
  { database, clock, node }: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { keyId, act, reason, requestId }: KeyCommand,
): Promise<MovedKey> {
  const at = clock.now();
  const auditEvent = newId('ev', at);
  const source = { node, ...(requestId === undefined ? {} : { request: requestId }) };
  const detail = { note: auditText(reason) };
  const change = { act, auditEvent, at, actor: auditActor(caller), source, detail };
  return await database.transaction((tx) => moveLifeTarget(tx, keyId, change));
}
