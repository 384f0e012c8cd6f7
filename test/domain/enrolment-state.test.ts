import { expect } from 'chai';
import {
  ENROLMENT_STATES,
  ENROLMENT_TRANSITIONS,
  FAILED_STATES,
  mayMoveEnrolment,
  UNFINISHED_STATES,
} from '../../src/domain/enrolment-state.ts';

describe('the states of an enrolment', () => {
  it('end delivered, rejected or expired, and never go back', () => {
    const final = ENROLMENT_STATES.filter((state) => ENROLMENT_TRANSITIONS[state].length === 0);
    expect(final).to.deep.equal(['DELIVERED', 'REJECTED', 'EXPIRED']);
    for (const from of ENROLMENT_STATES) {
      for (const to of ENROLMENT_TRANSITIONS[from])
        expect(mayMoveEnrolment(to, from), `${to} to ${from}`).to.equal(false);
    }
  });

  it('expire as long as nothing was issued, and not afterwards', () => {
    expect(UNFINISHED_STATES).to.deep.equal(['RECEIVED', 'PENDING', 'APPROVED']);
    expect(mayMoveEnrolment('ISSUED', 'EXPIRED')).to.equal(false);
    expect(FAILED_STATES.every((state) => UNFINISHED_STATES.every((from) => mayMoveEnrolment(from, state)))).to.equal(
      true,
    );
  });
});
