import { expect } from 'chai';
import fc from 'fast-check';
import { ACTIONS } from '../../../src/domain/action.ts';
import { requirePossible } from '../../../src/domain/root-upgrade/evaluate.ts';
import {
  BEFORE_ACTIVE,
  isLive,
  UPGRADE_KINDS,
  UPGRADE_STATE_NAMES,
  UPGRADE_STATES,
  type UpgradeKind,
  type UpgradeState,
} from '../../../src/domain/root-upgrade/states.ts';
import { TRANSITION_NAMES, transitionRule, type TransitionName } from '../../../src/domain/root-upgrade/transitions.ts';
import { forwardFrom, transitionOfAct, transitionsFrom } from '../../../src/domain/root-upgrade/ways.ts';
import { refusalOf } from '../refusal.ts';

/**
 * A.5 written down a second time, by hand: `from>to` of each transition for planned upgrades, and for an emergency. The
 * rows are those of the reference; U9 is the undo of T9, E1 to E3 the emergency variant.
 */
const PLANNED: Readonly<Partial<Record<TransitionName, string>>> = {
  T1: 'DRAFT>PLANNED',
  T2: 'PLANNED>KEYED',
  T3: 'KEYED>STAGED',
  T4: 'STAGED>PILOT',
  T5: 'PILOT>ROLLOUT',
  T6: 'ROLLOUT>READY',
  T7: 'READY>ACTIVE',
  T8: 'ACTIVE>MIGRATED',
  T9: 'MIGRATED>RETIRING',
  U9: 'RETIRING>MIGRATED',
  T10: 'RETIRING>REMOVED',
  T11: 'REMOVED>CLOSED',
  R1: 'PLANNED KEYED STAGED PILOT ROLLOUT READY>ABORTED',
  R2: 'ACTIVE MIGRATED>ROLLED_BACK',
  R3: 'ROLLED_BACK>READY',
  R4: 'DRAFT PLANNED KEYED STAGED PILOT ROLLOUT READY ACTIVE MIGRATED RETIRING ROLLED_BACK>SUPERSEDED',
};
const EMERGENCY: Readonly<Partial<Record<TransitionName, string>>> = {
  E1: 'DRAFT>STAGED',
  E2: 'STAGED>ACTIVE',
  T8: 'ACTIVE>MIGRATED',
  E3: 'MIGRATED>REMOVED',
  T11: 'REMOVED>CLOSED',
  R1: PLANNED.R1 ?? '',
  R4: PLANNED.R4 ?? '',
};
const MODEL = { ALG_CHANGE: PLANNED, REKEY: PLANNED, EMERGENCY } as const;

/** Where the transition leads in the model; undefined where it is not to be had. */
function modelled(kind: UpgradeKind, state: UpgradeState, name: TransitionName): string | undefined {
  const [from = '', to] = (MODEL[kind][name] ?? '').split('>');
  return from.split(' ').includes(state) ? to : undefined;
}

function isPossible(kind: UpgradeKind, state: UpgradeState, name: TransitionName): boolean {
  const code = refusalOf(() => requirePossible({ state, plan: { kind } }, name))?.code;
  expect(code, `${kind} ${state} ${name}`).to.be.oneOf([undefined, 'E_STATE']);
  return code === undefined;
}

describe('the transitions of a root upgrade', () => {
  it('lead exactly where A.5 says: every kind in every state with every transition', () => {
    let possible = 0;
    for (const kind of UPGRADE_KINDS) {
      for (const state of UPGRADE_STATE_NAMES) {
        for (const name of TRANSITION_NAMES) {
          const wanted = modelled(kind, state, name);
          expect(isPossible(kind, state, name), `${kind} ${state} ${name}`).to.equal(wanted !== undefined);
          expect(transitionsFrom(state, kind).includes(name), `${kind} ${state} ${name}`).to.equal(
            wanted !== undefined,
          );
          if (wanted === undefined) continue;
          possible += 1;
          expect(transitionRule(name).to).to.equal(wanted);
        }
      }
    }
    expect(possible).to.equal(32 * 2 + 22);
  });

  it('leave no way out of CLOSED, ABORTED and SUPERSEDED, and one forward out of ROLLED_BACK', () => {
    const ends = UPGRADE_STATE_NAMES.filter((state) => !isLive(state));
    expect(ends).to.have.members(['CLOSED', 'ABORTED', 'SUPERSEDED']);
    for (const kind of UPGRADE_KINDS) for (const end of ends) expect(transitionsFrom(end, kind)).to.deep.equal([]);
    expect(transitionsFrom('ROLLED_BACK', 'REKEY')).to.deep.equal(['R3', 'R4']);
    expect(forwardFrom('ROLLED_BACK', 'REKEY')).to.equal('R3');
  });

  it('walked at random agree with the model, and only reach CLOSED through the removal', () => {
    const walk = fc.tuple(fc.constantFrom(...UPGRADE_KINDS), fc.array(fc.nat(1_000), { maxLength: 60 }));
    fc.assert(
      fc.property(walk, ([kind, choices]) => {
        let state: UpgradeState = 'DRAFT';
        const seen: UpgradeState[] = [state];
        for (const choice of choices) {
          const name = TRANSITION_NAMES[choice % TRANSITION_NAMES.length] ?? 'T1';
          const wanted = modelled(kind, state, name);
          if (!isPossible(kind, state, name)) {
            expect(wanted).to.equal(undefined);
            continue;
          }
          state = transitionRule(name).to;
          expect(state).to.equal(wanted);
          seen.push(state);
        }
        if (seen.includes('CLOSED')) expect(seen).to.include.members(['ACTIVE', 'MIGRATED', 'REMOVED']);
        if (seen.includes('ABORTED')) expect(seen.at(-1)).to.equal('ABORTED');
      }),
      { numRuns: 300 },
    );
  });

  it('know one way forward from each state that is not an end', () => {
    for (const kind of ['ALG_CHANGE', 'REKEY'] as const) {
      const path: string[] = [];
      for (let state: UpgradeState | undefined = 'DRAFT'; state !== undefined;) {
        const name: TransitionName | undefined = forwardFrom(state, kind);
        if (name !== undefined) path.push(name);
        state = name === undefined ? undefined : transitionRule(name).to;
      }
      expect(path.join(' ')).to.equal('T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11');
    }
    expect(forwardFrom('STAGED', 'EMERGENCY')).to.equal('E2');
  });

  it('are decided by an act of the action table that decides no other out of the same state', () => {
    for (const kind of UPGRADE_KINDS) {
      for (const state of UPGRADE_STATE_NAMES) {
        const names = transitionsFrom(state, kind).filter((name) => transitionRule(name).decidedBy === 'request');
        for (const name of names) {
          const { act } = transitionRule(name);
          expect(transitionOfAct(act, state, kind), `${kind} ${state}`).to.equal(name);
          expect(ACTIONS[act].decidedBy, act).to.equal('request');
        }
      }
    }
  });

  it('ask ceremonies for what custodians decide, and requests for the rest', () => {
    for (const name of TRANSITION_NAMES) {
      const { act, decidedBy, ceremonies } = transitionRule(name);
      expect(ceremonies.length > 0, name).to.equal(decidedBy === 'ceremony');
      if (decidedBy !== 'newer-plan') expect(ACTIONS[act].decidedBy, name).to.equal(decidedBy);
    }
  });

  it('may be made while suspended only where they do not lead forward', () => {
    const back = TRANSITION_NAMES.filter((name) => transitionRule(name).whileSuspended);
    expect(back).to.have.members(['U9', 'R1', 'R2', 'R4']);
    const suspendable = UPGRADE_STATE_NAMES.filter((state) => UPGRADE_STATES[state].suspendable);
    expect(suspendable).to.deep.equal(['PILOT', 'ROLLOUT', 'READY', 'ACTIVE', 'MIGRATED', 'RETIRING']);
  });

  it('let the new generation issue in ACTIVE and after, and not before', () => {
    const issuing = TRANSITION_NAMES.filter((name) => transitionRule(name).issuer === 'to-new');
    expect(issuing.map((name) => transitionRule(name).to)).to.deep.equal(['ACTIVE', 'ACTIVE']);
    expect(BEFORE_ACTIVE).to.include('ROLLED_BACK').and.not.include('ACTIVE');
  });
});
