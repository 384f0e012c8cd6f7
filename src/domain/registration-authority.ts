/**
 * A registration authority over its life: one table of states and of the acts that lead from one to the next. All of them
 * are acts of dual control; the national centre (国家中心) decides, the province may ask.
 */
import { KmcError } from '../errors.ts';

/** In the order of the way into service (授牌), and what comes after it. */
export const REGISTRATION_AUTHORITY_STATES = [
  'applied',
  'documents-attested',
  'premises-attested',
  'operators-appointed',
  'in-service',
  'suspended',
  'closed',
] as const;
export type RegistrationAuthorityState = (typeof REGISTRATION_AUTHORITY_STATES)[number];

export interface AuthorityTransition {
  /** Empty: the authority is not there yet. */
  readonly from: readonly RegistrationAuthorityState[];
  /** Absent: the state stays. */
  readonly to?: RegistrationAuthorityState;
  /** Two operators must be able to work in the region (registrar and second pair of eyes). */
  readonly needsOperators?: true;
  /** Unused enrolment tokens of its devices become worthless. */
  readonly voidsTokens?: true;
}

const OPEN: readonly RegistrationAuthorityState[] = REGISTRATION_AUTHORITY_STATES.filter((state) => state !== 'closed');

/** The acts, by their names in the table of acts. */
export const AUTHORITY_TRANSITIONS = {
  'registration-authority.apply': { from: [], to: 'applied' },
  'registration-authority.attest-documents': { from: ['applied'], to: 'documents-attested' },
  'registration-authority.attest-premises': { from: ['documents-attested'], to: 'premises-attested' },
  'registration-authority.appoint-operators': {
    from: ['premises-attested'],
    to: 'operators-appointed',
    needsOperators: true,
  },
  'registration-authority.open': { from: ['operators-appointed'], to: 'in-service', needsOperators: true },
  'registration-authority.suspend': { from: ['in-service'], to: 'suspended', voidsTokens: true },
  'registration-authority.resume': { from: ['suspended'], to: 'in-service', needsOperators: true },
  'registration-authority.close': { from: OPEN, to: 'closed', voidsTokens: true },
  'registration-authority.amend': { from: OPEN },
} as const satisfies Readonly<Record<string, AuthorityTransition>>;
export type AuthorityAct = keyof typeof AUTHORITY_TRANSITIONS;

/** The least number of operators of a region: whoever registers a device does not issue its token. */
export const LEAST_OPERATORS = 2;

/** How much an authority may register. */
export interface RegistrationQuota {
  /** Devices that are not decommissioned, in all. */
  readonly devices: number;
  /** Devices registered within one day (UTC). */
  readonly devicesPerDay: number;
}

/** What decides whether devices may be registered. */
export interface RegistrationTerms extends RegistrationQuota {
  readonly state: RegistrationAuthorityState;
  /** Names of the device profiles that it may use. */
  readonly profiles: readonly string[];
}

/** What is registered already. */
export interface RegisteredCounts {
  readonly devices: number;
  readonly today: number;
}

/**
 * The state to which the act leads from `state`.
 * @throws KmcError E_STATE when the table has no such step.
 */
export function stateAfter(act: AuthorityAct, state: RegistrationAuthorityState): RegistrationAuthorityState {
  const { from, to }: AuthorityTransition = AUTHORITY_TRANSITIONS[act];
  if (from.includes(state)) return to ?? state;
  throw new KmcError(
    'E_STATE',
    `The registration authority is ${state}; this act needs one that is ${from.join(' or ') || 'not there yet'}.`,
  );
}

/** @throws KmcError E_STATE unless the authority is in service. */
export function requireInService({ state }: Pick<RegistrationTerms, 'state'>): void {
  if (state !== 'in-service') {
    throw new KmcError(
      'E_STATE',
      `The registration authority of the region is ${state}: it works once it is in service.`,
    );
  }
}

/**
 * Whether devices of these profiles may be registered beside those that are there.
 * @param profiles one for each device.
 * @throws KmcError E_STATE (not in service), E_POLICY (a profile that it may not use), E_QUOTA.
 */
export function requireRegistrable(
  terms: RegistrationTerms,
  registered: RegisteredCounts,
  profiles: readonly string[],
): void {
  requireInService(terms);
  const foreign = profiles.find((profile) => !terms.profiles.includes(profile));
  if (foreign !== undefined) {
    throw new KmcError('E_POLICY', `The registration authority of the region may not use the profile ${foreign}.`);
  }
  if (registered.devices + profiles.length > terms.devices) {
    throw new KmcError(
      'E_QUOTA',
      `The registration authority may have ${terms.devices} devices: its quota is used up.`,
    );
  }
  if (registered.today + profiles.length > terms.devicesPerDay) {
    throw new KmcError(
      'E_QUOTA',
      `The registration authority may register ${terms.devicesPerDay} devices a day: the rest waits for tomorrow.`,
    );
  }
}

/** Midnight (UTC) at the beginning of the day of `at`: from when the quota of a day counts. */
export function dayOf(at: Date): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()));
}
