/** The life of an enrolment (enrolment-and-root-upgrade B.4): one table of states, nothing else moves one. */

export const ENROLMENT_STATES = [
  'RECEIVED',
  'PENDING',
  'APPROVED',
  'ISSUED',
  'DELIVERED',
  'REJECTED',
  'EXPIRED',
] as const;
export type EnrolmentState = (typeof ENROLMENT_STATES)[number];

/** Where each state may go. */
export const ENROLMENT_TRANSITIONS: Readonly<Record<EnrolmentState, readonly EnrolmentState[]>> = {
  RECEIVED: ['PENDING', 'ISSUED', 'REJECTED', 'EXPIRED'],
  PENDING: ['APPROVED', 'ISSUED', 'REJECTED', 'EXPIRED'],
  APPROVED: ['ISSUED', 'REJECTED', 'EXPIRED'],
  ISSUED: ['DELIVERED'],
  DELIVERED: [],
  REJECTED: [],
  EXPIRED: [],
};

/** States in which an enrolment ended without a certificate: its key may enrol anew under another token. */
export const FAILED_STATES: readonly EnrolmentState[] = ['REJECTED', 'EXPIRED'];

/** States of enrolments that nobody has finished: they expire. */
export const UNFINISHED_STATES: readonly EnrolmentState[] = ENROLMENT_STATES.filter((state) =>
  ENROLMENT_TRANSITIONS[state].includes('EXPIRED'),
);

/** True when the table has that step. */
export function mayMoveEnrolment(from: EnrolmentState, to: EnrolmentState): boolean {
  return ENROLMENT_TRANSITIONS[from].includes(to);
}
