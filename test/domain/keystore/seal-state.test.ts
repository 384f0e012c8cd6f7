import { expect } from 'chai';
import {
  nextSealState,
  SEAL_TRANSITIONS,
  type SealEvent,
  type SealState,
} from '../../../src/domain/keystore/seal-state.ts';
import { KmcError } from '../../../src/errors.ts';

/** Written from security-and-faults 2.7, apart from the table of the product. */
const ALLOWED: readonly (readonly [SealState, SealEvent, SealState])[] = [
  ['UNINIT', 'created', 'SEALED'],
  ['SEALED', 'begun', 'UNSEALING'],
  ['UNSEALING', 'share', 'UNSEALING'],
  ['UNSEALING', 'opened', 'UNSEALED'],
  ['UNSEALING', 'ended', 'SEALED'],
  ['UNSEALED', 'sealed', 'SEALED'],
  ['UNSEALING', 'sealed', 'SEALED'],
  ['SEALED', 'sealed', 'SEALED'],
  ['UNINIT', 'fault', 'ERROR'],
  ['SEALED', 'fault', 'ERROR'],
  ['UNSEALING', 'fault', 'ERROR'],
  ['UNSEALED', 'fault', 'ERROR'],
  ['ERROR', 'fault', 'ERROR'],
];
const STATES: readonly SealState[] = ['UNINIT', 'SEALED', 'UNSEALING', 'UNSEALED', 'ERROR'];
const EVENTS: readonly SealEvent[] = ['created', 'begun', 'share', 'opened', 'ended', 'sealed', 'fault'];

describe('seal states', () => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      const next = ALLOWED.find(([from, by]) => from === state && by === event)?.[2];
      it(`${state} on "${event}" ${next === undefined ? 'is refused' : `becomes ${next}`}`, () => {
        if (next !== undefined) expect(nextSealState(state, event)).to.equal(next);
        else
          expect(() => nextSealState(state, event))
            .to.throw(KmcError)
            .with.property('code', 'E_STATE');
      });
    }
  }

  it('only an unsealing leads to UNSEALED, and nothing leads out of ERROR', () => {
    const intoUnsealed = STATES.filter((state) => Object.values(SEAL_TRANSITIONS[state]).includes('UNSEALED'));
    expect(intoUnsealed).to.deep.equal(['UNSEALING']);
    expect(Object.values(SEAL_TRANSITIONS.ERROR)).to.deep.equal(['ERROR']);
  });
});
