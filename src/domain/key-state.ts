/**
 * The life of a key (security-and-faults 3.1): one table of states with the store that each lies in, and one table of the
 * acts that lead from state to state. Escrowed keys and the versions of managed keys both live by it.
 */
import type { AuditAction } from './audit/actions.ts';
import { KmcError } from '../errors.ts';

/** The three stores of GM/T 0034 (备用库, 在用库, 历史库), and the tombstones of destroyed keys. The state decides. */
export type KeyStore = 'standby' | 'in-use' | 'history' | 'tombstone';

/** `approved`: only behind a request in which people accepted the risk; `warned`: with a warning in the evidence. */
export type ProcessingRule = 'no' | 'yes' | 'approved' | 'warned';

export interface KeyStateRule {
  readonly store: KeyStore;
  /** May encrypt, sign, wrap. */
  readonly protects: boolean;
  /** May decrypt, verify, unwrap, be recovered. */
  readonly processes: ProcessingRule;
}

export const KEY_STATES = {
  /** Made and durable, not yet issuable: policy asks for a verified backup first. */
  generated: { store: 'standby', protects: false, processes: 'no' },
  spare: { store: 'standby', protects: false, processes: 'no' },
  active: { store: 'in-use', protects: true, processes: 'yes' },
  suspended: { store: 'in-use', protects: false, processes: 'approved' },
  deactivated: { store: 'history', protects: false, processes: 'yes' },
  compromised: { store: 'history', protects: false, processes: 'warned' },
  'destroy-pending': { store: 'history', protects: false, processes: 'no' },
  destroyed: { store: 'tombstone', protects: false, processes: 'no' },
  'destroyed-compromised': { store: 'tombstone', protects: false, processes: 'no' },
} as const satisfies Readonly<Record<string, KeyStateRule>>;

export type KeyState = keyof typeof KEY_STATES;

/** Names in the order of the table. */
export const KEY_STATE_NAMES = [
  'generated',
  'spare',
  'active',
  'suspended',
  'deactivated',
  'compromised',
  'destroy-pending',
  'destroyed',
  'destroyed-compromised',
] as const satisfies readonly KeyState[];

export const KEY_STORES = ['standby', 'in-use', 'history', 'tombstone'] as const satisfies readonly KeyStore[];

interface KeyActRule {
  readonly from: readonly KeyState[];
  readonly to: KeyState;
  /** Where the key was marked compromised before: that fact is never lost. */
  readonly toIfCompromised?: KeyState;
  readonly audit: AuditAction;
}

export const KEY_ACTS = {
  /** A verified backup holds it. */
  release: { from: ['generated'], to: 'spare', audit: 'key.release' },
  /** It goes to its owner. */
  activate: { from: ['spare'], to: 'active', audit: 'key.activate' },
  suspend: { from: ['active'], to: 'suspended', audit: 'key.suspend' },
  resume: { from: ['suspended'], to: 'active', audit: 'key.reactivate' },
  /** Expiry, replacement or revocation: archived to the history store. */
  deactivate: { from: ['active', 'suspended'], to: 'deactivated', audit: 'key.deactivate' },
  compromise: {
    from: ['spare', 'active', 'suspended', 'deactivated'],
    to: 'compromised',
    audit: 'key.compromise',
  },
  'schedule-destruction': {
    from: ['deactivated', 'compromised'],
    to: 'destroy-pending',
    audit: 'key.destroy-schedule',
  },
  'cancel-destruction': {
    from: ['destroy-pending'],
    to: 'deactivated',
    toIfCompromised: 'compromised',
    audit: 'key.destroy-cancel',
  },
  destroy: {
    from: ['destroy-pending'],
    to: 'destroyed',
    toIfCompromised: 'destroyed-compromised',
    audit: 'key.destroy',
  },
  /** A key that nobody ever had: it fails its check in the pool. */
  discard: { from: ['generated', 'spare'], to: 'destroyed', audit: 'key.destroy' },
} as const satisfies Readonly<Record<string, KeyActRule>>;

export type KeyAct = keyof typeof KEY_ACTS;

/** What of a key decides where an act leads. */
export interface KeyStanding {
  readonly state: KeyState;
  /** When it was marked compromised, if it ever was. */
  readonly compromisedAt: Date | undefined;
}

/** The rule of an act. */
export function keyActRule(act: KeyAct): KeyActRule {
  return KEY_ACTS[act];
}

/**
 * The state that the act leads to.
 * @throws KmcError E_STATE when the act is not one of that state.
 */
export function nextKeyState(act: KeyAct, { state, compromisedAt }: KeyStanding): KeyState {
  const rule = keyActRule(act);
  if (!rule.from.includes(state)) {
    throw new KmcError('E_STATE', `A key that is ${state} does not take "${act}". Read its state again.`);
  }
  return compromisedAt === undefined ? rule.to : (rule.toIfCompromised ?? rule.to);
}

/** The store that a key of that state lies in. */
export function storeOf(state: KeyState): KeyStore {
  return KEY_STATES[state].store;
}
