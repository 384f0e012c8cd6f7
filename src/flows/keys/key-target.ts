/** An escrowed key as the target of an act. */
import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type TargetState } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';

/** State and version of the key. */
export async function keyTarget(reader: Reader, targetId: string, _params: SignedObject): Promise<TargetState> {
  const key = await reader.escrowedKeys.find(targetId);
  return key === undefined ? ABSENT : { state: key.state, version: String(key.version) };
}

/** @throws KmcError E_NOT_FOUND. */
export async function presentKey(reader: Reader, id: string): Promise<EscrowedKeyRow> {
  const key = await reader.escrowedKeys.find(id);
  if (key === undefined) throw new KmcError('E_NOT_FOUND', 'There is no escrowed key of that id.');
  return key;
}

/** The id of the key that the act is done to. */
export function keyIdOf(act: ApprovedAct): string {
  return act.request.target.split('/')[1] ?? '';
}
