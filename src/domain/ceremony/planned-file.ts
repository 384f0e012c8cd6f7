/** The ceremony file as it stands in a plan, for whoever has the plan alone: verifiers and the service. */
import { KmcError } from '../../errors.ts';
import { isObject, sm3Text, type SignedObject } from '../signed-body.ts';
import type { CeremonyQuorum, CeremonyStep, ShareRecipients } from './ceremony-file.ts';
import type { CeremonyPlan } from './plan.ts';

/**
 * The seats as a plan states them, for verifiers that have the plan alone.
 * @throws KmcError E_SCHEMA when the file in the plan states none.
 */
export function planQuorum(plan: CeremonyPlan): CeremonyQuorum {
  const quorum: unknown = plan.file['quorum'];
  const members = isObject(quorum) ? quorum : {};
  const k = Number(members['k']);
  const holders = digests(members['holders']);
  const [lead] = digests([members['lead']]);
  const [auditor] = digests([members['auditor']]);
  if (!Number.isInteger(k) || k < 2 || k > holders.length || lead === undefined || auditor === undefined) {
    throw new KmcError('E_SCHEMA', 'The plan states no quorum that can be kept.');
  }
  const recipients = recipientsOf(members['recipients']);
  return {
    k,
    holders,
    witness: digests(members['witness']),
    auditor,
    lead,
    ...(recipients === undefined ? {} : { recipients }),
  };
}

function recipientsOf(value: unknown): ShareRecipients | undefined {
  return isObject(value) ? { k: Number(value['k']), holders: digests(value['holders']) } : undefined;
}

/**
 * The steps as a plan states them.
 * @throws KmcError E_SCHEMA when one has no id or kind.
 */
export function plannedSteps(plan: CeremonyPlan): CeremonyStep[] {
  const steps: unknown = plan.file['steps'];
  return (Array.isArray(steps) ? steps : []).map((step: SignedObject) => {
    const { id, do: kind, ...members } = step;
    if (typeof id === 'string' && typeof kind === 'string') return { id, do: kind, members };
    throw new KmcError('E_SCHEMA', 'A step of the plan has no id or no kind.');
  });
}

function digests(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === 'string' && sm3Text(item) === undefined)
    : [];
}
