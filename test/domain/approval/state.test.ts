import { expect } from 'chai';
import {
  DECIDABLE_STATES,
  FINAL_STATES,
  mayMove,
  REQUEST_STATES,
  requireMove,
  type RequestState,
} from '../../../src/domain/approval/state.ts';
import { refusalOf } from '../refusal.ts';

/** D.4, arrow by arrow. */
const ARROWS: readonly (readonly [RequestState, RequestState])[] = [
  ['DRAFT', 'OPEN'],
  ['OPEN', 'QUORUM'],
  ['QUORUM', 'OPEN'], // an approval was withdrawn
  ['QUORUM', 'EXECUTING'],
  ['EXECUTING', 'DONE'],
  ['EXECUTING', 'FAILED'],
  ['EXECUTING', 'INDETERMINATE'],
  ['INDETERMINATE', 'DONE'],
  ['INDETERMINATE', 'FAILED'],
  ['FAILED', 'EXECUTING'], // retryable
  ['OPEN', 'REJECTED'],
  ['QUORUM', 'REJECTED'],
  ['DRAFT', 'WITHDRAWN'],
  ['OPEN', 'WITHDRAWN'],
  ['QUORUM', 'WITHDRAWN'],
  ['DRAFT', 'EXPIRED'],
  ['OPEN', 'EXPIRED'],
  ['QUORUM', 'EXPIRED'],
  ['FAILED', 'EXPIRED'],
  ['OPEN', 'SUPERSEDED'],
  ['QUORUM', 'SUPERSEDED'],
  ['FAILED', 'SUPERSEDED'],
];

describe('the life of a request', () => {
  for (const from of REQUEST_STATES) {
    it(`goes from ${from} exactly where D.4 says`, () => {
      for (const to of REQUEST_STATES) {
        const allowed = ARROWS.some(([a, b]) => a === from && b === to);
        expect(mayMove(from, to), `${from} -> ${to}`).to.equal(allowed);
        expect(refusalOf(() => requireMove(from, to))?.code, `${from} -> ${to}`).to.equal(
          allowed ? undefined : 'E_STATE',
        );
      }
    });
  }

  it('ends in five states and is decided on in two', () => {
    expect(FINAL_STATES).to.have.members(['DONE', 'REJECTED', 'WITHDRAWN', 'EXPIRED', 'SUPERSEDED']);
    expect(DECIDABLE_STATES).to.deep.equal(['OPEN', 'QUORUM']);
  });

  it('an unknown outcome is never tried again blindly', () => {
    expect(mayMove('INDETERMINATE', 'EXECUTING')).to.equal(false);
    expect(mayMove('EXECUTING', 'QUORUM')).to.equal(false);
  });
});
