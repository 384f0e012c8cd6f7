/** What the acts on registration authorities share: parameters, target, row, and the event that each leaves. */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { AUTHORITY_TRANSITIONS, LEAST_OPERATORS, type AuthorityAct } from '../../domain/registration-authority.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { isPartition, REGION_CODE } from '../../domain/region.ts';
import { requireMembers, textLike, type MemberCheck, type SignedObject } from '../../domain/signed-body.ts';
import { accountInForce, holdsRoleIn, isSamePerson } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type TargetState } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { StoredPerson } from '../ports/people.ts';
import type { RegistrationAuthorityChange, RegistrationAuthorityRow } from '../ports/registration-authorities.ts';

const MOST_PROFILES = 50;

/** A whole number from 1 to 1,000,000 as text. */
const amount: MemberCheck = textLike(/^(?:[1-9][0-9]{0,5}|1000000)$/, 'a whole number from 1 to 1000000');
const nameList: MemberCheck = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= MOST_PROFILES &&
  value.every((name) => typeof name === 'string')
    ? undefined
    : `must be a list of 1 to ${MOST_PROFILES} names`;

export const REGION_MEMBER = { region: textLike(REGION_CODE, 'the code of a region') };
export const TERMS_MEMBERS = { profiles: nameList, devices: amount, devicesPerDay: amount };

/** What an authority may use and register, as it stands in parameters. */
export interface StatedTerms {
  readonly profiles: readonly string[];
  readonly devices: string;
  readonly devicesPerDay: string;
}

/**
 * The terms as they are stored.
 * @throws KmcError E_POLICY for a device profile that policy does not have; E_SCHEMA for one named twice.
 */
export function termsOf(
  policies: PolicySet,
  { profiles, devices, devicesPerDay }: StatedTerms,
): Pick<RegistrationAuthorityRow, 'profiles' | 'devices' | 'devicesPerDay'> {
  const unknown = profiles.find((name) => !Object.hasOwn(policies.deviceProfiles, name));
  if (unknown !== undefined) throw new KmcError('E_POLICY', 'Policy holds no device profile of one of those names.');
  if (new Set(profiles).size < profiles.length) throw new KmcError('E_SCHEMA', 'A profile is named twice.');
  return { profiles: [...profiles].sort(), devices: Number(devices), devicesPerDay: Number(devicesPerDay) };
}

/** @throws KmcError E_POLICY unless the code is that of a province or the corps. */
export function requirePartition(policies: PolicySet, region: string): void {
  if (isPartition(policies.regions, region)) return;
  throw new KmcError(
    'E_POLICY',
    'A registration authority stands in a province or the corps of policies/regions.yaml.',
  );
}

/** State and version of the authority. */
export async function authorityTarget(reader: Reader, id: string): Promise<TargetState> {
  const row = await reader.registrationAuthorities.find(id);
  return row === undefined ? ABSENT : { state: row.state, version: String(row.version) };
}

/** Id of the authority that the request is about. */
export function authorityIdOf(act: ApprovedAct): string {
  return act.request.target.split('/')[1] ?? '';
}

/**
 * The authority, of the region that the request states.
 * @throws KmcError E_NOT_FOUND, with one text for one that is absent and one of another region.
 */
export async function presentAuthority(
  reader: Reader,
  id: string,
  params: SignedObject,
): Promise<RegistrationAuthorityRow> {
  requireMembers<{ region: string }>({ region: params['region'] }, REGION_MEMBER, 'act on a registration authority');
  const row = await reader.registrationAuthorities.find(id);
  if (row !== undefined && row.region === params['region']) return row;
  throw new KmcError('E_NOT_FOUND', 'There is no registration authority of that id in the region of the request.', {
    concealed: row !== undefined,
  });
}

/** Of the holders of ra-operator those who can work in the region now: active, with a certificate in force, each human being once. */
export function ableOperators(holders: readonly StoredPerson[], region: string, at: Date): StoredPerson[] {
  const able: StoredPerson[] = [];
  for (const person of holders) {
    if (!holdsRoleIn(person, 'ra-operator', region)) continue;
    if (!person.accounts.some(({ certificateSm3 }) => accountInForce(person, certificateSm3, at) !== undefined))
      continue;
    if (!able.some((other) => isSamePerson(other, person))) able.push(person);
  }
  return able;
}

/** The people who can work as operators of the region now. */
export async function operatorsOf(reader: Reader, region: string, at: Date): Promise<StoredPerson[]> {
  return ableOperators(await reader.people.holders('ra-operator'), region, at);
}

/** @throws KmcError E_QUORUM when fewer than two operators can work in the region. */
export async function requireOperators(reader: Reader, act: AuthorityAct, region: string, at: Date): Promise<void> {
  if (!('needsOperators' in AUTHORITY_TRANSITIONS[act])) return;
  const operators = await operatorsOf(reader, region, at);
  if (operators.length >= LEAST_OPERATORS) return;
  throw new KmcError(
    'E_QUORUM',
    `Region ${region} has ${operators.length} operators who can work; ${LEAST_OPERATORS} are needed. Appoint them first.`,
  );
}

/** What a change sets besides what it leaves as it was. */
export function changeOf(
  row: RegistrationAuthorityRow,
  event: { readonly at: Date; readonly auditEvent: string },
  change: Partial<RegistrationAuthorityChange>,
): RegistrationAuthorityChange {
  const { state, profiles, devices, devicesPerDay } = row;
  return { state, profiles, devices, devicesPerDay, ...change, ...event };
}

/** The authority changed between the look at it and the change. */
export function staleAuthority(): KmcError {
  return new KmcError('E_STALE', 'The registration authority changed at the same time. Make a new request.');
}

/** The act without its noun. */
type AuthorityVerb = AuthorityAct extends `${string}.${infer Verb}` ? Verb : never;
/** `registrar.<verb>`: the noun of an action of the audit log is one word. */
type AuthorityAuditAction = `registrar.${AuthorityVerb}`;

function auditActionOf(act: AuthorityAct): AuthorityAuditAction {
  return act.replace('registration-authority.', 'registrar.') as AuthorityAuditAction;
}

/** The event of an approved act on an authority. `id` was made before the transaction. */
export function authorityActEvent(
  act: ApprovedAct,
  event: { readonly id: string; readonly action: AuthorityAct; readonly authority: string; readonly version: number },
  detail: AuditEventInput['detail'],
): AuditEventInput {
  return {
    id: event.id,
    action: auditActionOf(event.action),
    outcome: 'success',
    subjects: [{ type: 'registration-authority', id: event.authority, version: event.version }],
    terms: [{ type: 'request', id: act.request.id }],
    actor: act.actor,
    source: act.source,
    approvals: act.approvals,
    detail: { ...detail, request: act.request.id },
  };
}
