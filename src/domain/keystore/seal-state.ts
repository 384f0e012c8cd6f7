/** The states of the service keystore and what leads from one to the next (security-and-faults 2.7). */
import { KmcError } from '../../errors.ts';

export type SealState = 'UNINIT' | 'SEALED' | 'UNSEALING' | 'UNSEALED' | 'ERROR';

export type SealEvent =
  | 'created' // the keystore was made
  | 'begun' // a share session opened
  | 'share' // a share was accepted, more are needed
  | 'opened' // the keys are open
  | 'ended' // the share session expired, was dropped, or its shares opened nothing
  | 'sealed' // somebody or something closed the keys
  | 'fault'; // files, database and audit log contradict each other

/** An event that is not listed for a state is not allowed there. */
export const SEAL_TRANSITIONS: Readonly<Record<SealState, Readonly<Partial<Record<SealEvent, SealState>>>>> = {
  UNINIT: { created: 'SEALED', fault: 'ERROR' },
  SEALED: { begun: 'UNSEALING', sealed: 'SEALED', fault: 'ERROR' },
  UNSEALING: { share: 'UNSEALING', opened: 'UNSEALED', ended: 'SEALED', sealed: 'SEALED', fault: 'ERROR' },
  UNSEALED: { sealed: 'SEALED', fault: 'ERROR' },
  // Only an operator leads out of it: the service starts again on the restored keystore.
  ERROR: { fault: 'ERROR' },
};

/** What a caller can do about it, for the text of E_STATE. */
const ADVICE: Readonly<Record<SealState, string>> = {
  UNINIT: 'There is no keystore yet; make it with a ceremony first.',
  SEALED: 'The keystore is sealed; begin to unseal it first.',
  UNSEALING: 'Shares are being collected; submit the missing shares or seal to start again.',
  UNSEALED: 'The keystore is open already; seal it first.',
  ERROR: 'The keystore refused to open; an operator has to restore it and start the service again.',
};

/**
 * The state after an event.
 * @throws KmcError E_STATE when the event is not allowed in that state.
 */
export function nextSealState(state: SealState, event: SealEvent): SealState {
  const next = SEAL_TRANSITIONS[state][event];
  if (next === undefined) throw new KmcError('E_STATE', ADVICE[state]);
  return next;
}
