/** Which ways lead out of a state of a root upgrade, by the table of transitions. */
import type { ActionName } from '../action.ts';
import type { ManifestPurpose } from './facts.ts';
import type { UpgradeKind, UpgradeState } from './states.ts';
import { TRANSITION_NAMES, transitionRule, type TransitionName } from './transitions.ts';

/** The transitions that lead out of a state for a kind of upgrade, in the order of the table. */
export function transitionsFrom(state: UpgradeState, kind: UpgradeKind): TransitionName[] {
  return TRANSITION_NAMES.filter((name) => {
    const rule = transitionRule(name);
    return rule.from.includes(state) && rule.kinds.includes(kind);
  });
}

/** True when a transition out of the state asks for that manifest: only then it is drafted and staged. */
export function wantsManifest(purpose: ManifestPurpose, state: UpgradeState, kind: UpgradeKind): boolean {
  return transitionsFrom(state, kind).some((name) => transitionRule(name).guards.includes(`manifest-${purpose}`));
}

/** The transition that goes forward from a state: the one `advance` makes. R3 is the way forward out of ROLLED_BACK. */
export function forwardFrom(state: UpgradeState, kind: UpgradeKind): TransitionName | undefined {
  return transitionsFrom(state, kind).find((name) => /^[TE]/.test(name) || name === 'R3');
}

/** The transition that the act decides, for a state and a kind. */
export function transitionOfAct(act: ActionName, state: UpgradeState, kind: UpgradeKind): TransitionName | undefined {
  return transitionsFrom(state, kind).find((name) => transitionRule(name).act === act && name !== 'R4');
}
