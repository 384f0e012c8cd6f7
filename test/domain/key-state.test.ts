import { expect } from 'chai';
import {
  KEY_ACTS,
  KEY_STATES,
  KEY_STATE_NAMES,
  KEY_STORES,
  nextKeyState,
  storeOf,
  type KeyAct,
  type KeyState,
} from '../../src/domain/key-state.ts';
import { refusal } from '../crypto/refusal.ts';

/** Written by hand from security-and-faults 3.1 ("leaves to"), apart from the table under test. */
const LEAVES_TO: Readonly<Record<KeyState, readonly KeyState[]>> = {
  generated: ['spare', 'destroyed'],
  spare: ['active', 'destroyed', 'compromised'],
  active: ['suspended', 'deactivated', 'compromised'],
  suspended: ['active', 'deactivated', 'compromised'],
  deactivated: ['destroy-pending', 'compromised'],
  compromised: ['destroy-pending'],
  'destroy-pending': ['deactivated', 'compromised', 'destroyed', 'destroyed-compromised'],
  destroyed: [],
  'destroyed-compromised': [],
};

const ACT_NAMES = Object.keys(KEY_ACTS) as KeyAct[];
const MARKED = new Date('2026-01-01T00:00:00Z');

function reached(state: KeyState): Set<KeyState> {
  const to = new Set<KeyState>();
  for (const act of ACT_NAMES) {
    for (const compromisedAt of [undefined, MARKED]) {
      try {
        to.add(nextKeyState(act, { state, compromisedAt }));
      } catch {
        // Refused: the matrix below says whether it should be.
      }
    }
  }
  return to;
}

describe('the life of a key', () => {
  for (const from of KEY_STATE_NAMES) {
    for (const to of KEY_STATE_NAMES) {
      const allowed = LEAVES_TO[from].includes(to);
      it(`${allowed ? 'leads' : 'does not lead'} from ${from} to ${to}`, () => {
        expect(reached(from).has(to)).to.equal(allowed);
      });
    }
  }

  it('refuses every other act with E_STATE', async () => {
    let refused = 0;
    for (const state of KEY_STATE_NAMES) {
      for (const act of ACT_NAMES) {
        if ((KEY_ACTS[act].from as readonly KeyState[]).includes(state)) continue;
        refused += 1;
        await refusal('E_STATE', () => nextKeyState(act, { state, compromisedAt: undefined }));
      }
    }
    expect(refused).to.be.greaterThan(60);
  });

  it('never forgets that a key was compromised, through a cancelled destruction or to its end', () => {
    const pending = { state: 'destroy-pending', compromisedAt: MARKED } as const;
    expect(nextKeyState('cancel-destruction', pending)).to.equal('compromised');
    expect(nextKeyState('destroy', pending)).to.equal('destroyed-compromised');
    const clean = { state: 'destroy-pending', compromisedAt: undefined } as const;
    expect(nextKeyState('cancel-destruction', clean)).to.equal('deactivated');
    expect(nextKeyState('destroy', clean)).to.equal('destroyed');
  });

  it('puts each state into one store, and lets only active keys protect', () => {
    for (const state of KEY_STATE_NAMES) expect(KEY_STORES).to.include(storeOf(state));
    expect(KEY_STATE_NAMES).to.have.members(Object.keys(KEY_STATES));
    expect(KEY_STATE_NAMES.filter((state) => KEY_STATES[state].protects)).to.deep.equal(['active']);
    expect(
      KEY_STATE_NAMES.filter((state) => storeOf(state) === 'standby' && KEY_STATES[state].processes !== 'no'),
    ).to.deep.equal([]);
  });
});
