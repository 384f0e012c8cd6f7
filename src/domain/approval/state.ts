/** The life of an approval request (enrolment-and-root-upgrade D.4): one table of states, nothing else moves a request. */
import { KmcError } from '../../errors.ts';

export const REQUEST_STATES = [
  'DRAFT',
  'OPEN',
  'QUORUM',
  'EXECUTING',
  'DONE',
  'FAILED',
  'INDETERMINATE',
  'REJECTED',
  'WITHDRAWN',
  'EXPIRED',
  'SUPERSEDED',
] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

/**
 * Where each state may go. QUORUM falls back to OPEN when an approval is withdrawn; FAILED may be tried again;
 * INDETERMINATE is left only by the reconciler, which looks the effect up and never repeats it blindly.
 */
const REQUEST_TRANSITIONS: Readonly<Record<RequestState, readonly RequestState[]>> = {
  DRAFT: ['OPEN', 'WITHDRAWN', 'EXPIRED'],
  OPEN: ['QUORUM', 'REJECTED', 'WITHDRAWN', 'EXPIRED', 'SUPERSEDED'],
  QUORUM: ['OPEN', 'EXECUTING', 'REJECTED', 'WITHDRAWN', 'EXPIRED', 'SUPERSEDED'],
  EXECUTING: ['DONE', 'FAILED', 'INDETERMINATE'],
  FAILED: ['EXECUTING', 'EXPIRED', 'SUPERSEDED'],
  INDETERMINATE: ['DONE', 'FAILED'],
  DONE: [],
  REJECTED: [],
  WITHDRAWN: [],
  EXPIRED: [],
  SUPERSEDED: [],
};

/** The states in which people still decide. */
export const DECIDABLE_STATES: readonly RequestState[] = ['OPEN', 'QUORUM'];

/** The states that no request leaves. */
export const FINAL_STATES: readonly RequestState[] = REQUEST_STATES.filter(
  (state) => REQUEST_TRANSITIONS[state].length === 0,
);

/** True when the table has that step. */
export function mayMove(from: RequestState, to: RequestState): boolean {
  return REQUEST_TRANSITIONS[from].includes(to);
}

/**
 * Refuses a step that the table does not have.
 * @throws KmcError E_STATE naming both states.
 */
export function requireMove(from: RequestState, to: RequestState): void {
  if (mayMove(from, to)) return;
  throw new KmcError('E_STATE', `A request that is ${from} cannot become ${to}. Read its state and act on that.`);
}
