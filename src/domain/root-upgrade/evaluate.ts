/** Whether a transition may be made now: its place in the table, then every guard. */
import { KmcError, type Blocker } from '../../errors.ts';
import type { UpgradeFacts } from './facts.ts';
import type { Guard } from './guard-kit.ts';
import { GUARDS } from './guards.ts';
import { UPGRADE_STATES } from './states.ts';
import { transitionRule, type TransitionName } from './transitions.ts';

/**
 * Refuses a transition that the table does not have for this state and kind, whatever the guards say.
 * @throws KmcError E_STATE.
 */
export function requirePossible(
  { state, plan }: Pick<UpgradeFacts, 'state'> & { readonly plan: Pick<UpgradeFacts['plan'], 'kind'> },
  name: TransitionName,
): void {
  const { from, kinds, title } = transitionRule(name);
  if (from.includes(state) && kinds.includes(plan.kind)) return;
  throw new KmcError('E_STATE', `${name} (${title}) does not lead out of ${state}: ${UPGRADE_STATES[state].meaning}.`);
}

/** Everything that stands in the way of a transition that the table has; empty when it may be made. */
export function blockersOf(facts: UpgradeFacts, name: TransitionName): Blocker[] {
  const { guards, whileSuspended } = transitionRule(name);
  const suspended: Blocker[] =
    facts.suspended && !whileSuspended
      ? [{ guard: 'suspended', text: 'The upgrade is suspended: two people resume it.' }]
      : [];
  return [
    ...suspended,
    ...guards.flatMap((guard) => {
      const check: Guard = GUARDS[guard];
      return check(facts).map((found): Blocker => ({ guard, ...found }));
    }),
  ];
}
