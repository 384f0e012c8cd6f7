/** What approvers of a transition sign: everything that it rests on, none of it a reference that can change. */
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { ID } from '../../domain/id.ts';
import type { UpgradeFacts } from '../../domain/root-upgrade/facts.ts';
import { weakerGates } from '../../domain/root-upgrade/gates.ts';
import { requirePlanBody, STATED_TEXT } from '../../domain/root-upgrade/plan.ts';
import { transitionRule, type TransitionName } from '../../domain/root-upgrade/transitions.ts';
import { isObject, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';

/** What a caller states with a transition. */
export interface StatedWith {
  readonly reason?: string | undefined;
  /** Ids of the devices of the canary ring. */
  readonly ring?: readonly string[] | undefined;
}

const MOST_IN_RING = 2_000;

function misstated(pointer: string, detail: string): KmcError {
  return new KmcError('E_SCHEMA', `State ${pointer.slice(1)} with this transition: it ${detail}.`, {
    pointers: [{ pointer, detail }],
  });
}

/** The part of the parameters that the caller chooses. @throws KmcError E_SCHEMA when it is missing or does not belong. */
function statedParameters(name: TransitionName, { reason, ring }: StatedWith): SignedObject {
  const { states } = transitionRule(name);
  if ((states === 'reason') !== (reason !== undefined)) {
    throw misstated('/reason', states === 'reason' ? 'is missing' : 'does not belong here');
  }
  if ((states === 'ring') !== (ring !== undefined)) {
    throw misstated('/ring', states === 'ring' ? 'is missing' : 'does not belong here');
  }
  if (reason !== undefined) {
    const fault = STATED_TEXT(reason);
    if (fault !== undefined) throw misstated('/reason', fault);
    return { reason };
  }
  if (ring === undefined) return {};
  const isList = ring.length > 0 && ring.length <= MOST_IN_RING && ring.every((id) => ID.test(id));
  if (!isList || new Set(ring).size < ring.length)
    throw misstated('/ring', `must be 1 to ${MOST_IN_RING} ids, each once`);
  return { ring };
}

/** What a request's parameters state. @throws KmcError E_SCHEMA. */
export function statedIn(params: SignedObject): StatedWith {
  const { reason, ring } = params;
  const isRing = Array.isArray(ring) && ring.every((id): id is string => typeof id === 'string');
  return {
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(isRing ? { ring } : {}),
  };
}

async function boundTo(
  reader: Reader,
  row: RootUpgradeRow,
  facts: UpgradeFacts,
  name: TransitionName,
): Promise<SignedObject> {
  const { binds, publishes } = transitionRule(name);
  if (binds === 'plan') {
    const plan = requirePlanBody(parseStrictJson(row.plan));
    return { plan, weakerGates: weakerGates(facts.plan.gates, facts.plan.kind) };
  }
  if (binds === 'snapshot') return facts.snapshot === undefined ? {} : { snapshot: facts.snapshot.digest };
  if (binds !== 'manifest') return {};
  const staged = (await reader.rootUpgrades.manifests(row.id)).find(({ purpose }) => purpose === publishes);
  return staged === undefined ? {} : { manifest: staged.digest };
}

/**
 * The parameters of a transition as things stand.
 * @throws KmcError E_SCHEMA for what is stated with it.
 */
export async function transitionParameters(
  reader: Reader,
  row: RootUpgradeRow,
  facts: UpgradeFacts,
  name: TransitionName,
  stated: StatedWith,
): Promise<SignedObject> {
  const bound = await boundTo(reader, row, facts, name);
  return { transition: name, planDigest: row.planDigest, ...bound, ...statedParameters(name, stated) };
}

/** @throws KmcError E_STALE when what was signed is not what would be done now. */
export async function requireParameters(
  reader: Reader,
  row: RootUpgradeRow,
  facts: UpgradeFacts,
  name: TransitionName,
  params: SignedObject,
): Promise<void> {
  const wanted = await transitionParameters(reader, row, facts, name, statedIn(params));
  if (isObject(params) && canonicalizeSigned(params) === canonicalizeSigned(wanted)) return;
  throw new KmcError(
    'E_STALE',
    'The parameters are not those of this transition as things stand: ask for it under the upgrade itself.',
  );
}
