import { auditText } from '../../domain/audit/detail.ts';
import { newId } from '../../domain/id.ts';
import type { KeyAct } from '../../domain/key-state.ts';
import { isObject, plainText, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import { keyIdOf } from './key-target.ts';
import { lifeTargetState, moveLifeTarget, requireTakes } from './life-target.ts';

/** The acts on keys that two people decide, and what each of them does to the key. */
const CHANGES = {
  'key.suspend': 'suspend',
  'key.reactivate': 'resume',
  'key.mark-compromised': 'compromise',
  'key.destroy': 'schedule-destruction',
} as const satisfies Readonly<Record<string, KeyAct>>;
export type KeyChangeName = keyof typeof CHANGES;

/** `incident`, for a key that is marked compromised: the id of what happened. */
function incidentOf(name: KeyChangeName, params: SignedObject): string | undefined {
  if (!isObject(params)) throw new KmcError('E_SCHEMA', 'The parameters are an object.');
  const { incident, ...others } = params;
  const isAsked = name === 'key.mark-compromised';
  if (Object.keys(others).length > 0 || (!isAsked && incident !== undefined)) {
    throw new KmcError('E_SCHEMA', isAsked ? 'The only parameter is incident.' : 'This act has no parameters.');
  }
  if (!isAsked) return undefined;
  const fault = plainText(100)(incident);
  if (fault === undefined && typeof incident === 'string') return incident;
  throw new KmcError('E_SCHEMA', `params.incident ${fault ?? 'must be text'}.`);
}

/**
 * The acts `key.suspend`, `key.reactivate`, `key.mark-compromised` (parameter `incident`) and `key.destroy`, which opens
 * the window after which the key is destroyed and until which anybody who may do so cancels it. Target `key/<id>`, an
 * escrowed key, a managed key or one of its versions; its state and version are part of what is approved.
 */
export function changeKey({ policies }: Pick<Instance, 'policies'>, name: KeyChangeName): DatabaseHandler {
  const act = CHANGES[name];
  return {
    kind: 'database',
    target: async (reader, targetId) => (await lifeTargetState(reader, targetId)) ?? ABSENT,
    async check(reader, targetId, params) {
      incidentOf(name, params);
      await requireTakes(reader, targetId, act);
    },
    async prepare(approved) {
      const { request, approvals, actor, source, at } = approved;
      const incident = incidentOf(name, request.params);
      const id = keyIdOf(approved);
      const auditEvent = newId('ev', at);
      const window =
        name === 'key.destroy'
          ? { destroyAfter: new Date(at.getTime() + policies.keys.destroyWindowSeconds * 1000) }
          : {};
      const note = auditText(incident ?? request.reason);
      return async (tx) => {
        const detail = { request: request.id, note };
        const change = { act, auditEvent, at, actor, source, approvals, detail, ...window };
        const key = await moveLifeTarget(tx, id, change);
        return {
          key: key.id,
          state: key.state,
          ...(key.destroyAfter === undefined ? {} : { destroyAfter: key.destroyAfter.toISOString() }),
        };
      };
    },
  };
}
