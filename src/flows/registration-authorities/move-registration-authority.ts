import type { AuditEventInput } from '../../domain/audit/event.ts';
import { newId } from '../../domain/id.ts';
import { isSamePerson } from '../../domain/person.ts';
import {
  AUTHORITY_TRANSITIONS,
  LEAST_OPERATORS,
  stateAfter,
  type AuthorityAct,
} from '../../domain/registration-authority.ts';
import { requireMembers, sm3Text, type MemberCheck, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { ApprovedAct, DatabaseHandler } from '../approvals/action-handler.ts';
import type { Clock, Reader, Transaction } from '../ports/database.ts';
import type { RegistrationAuthorityRow } from '../ports/registration-authorities.ts';
import {
  authorityActEvent,
  authorityIdOf,
  authorityTarget,
  changeOf,
  operatorsOf,
  presentAuthority,
  REGION_MEMBER,
  requireOperators,
  staleAuthority,
} from './authority-act.ts';

/** The acts that take an authority that is there from one state to another. */
export type AuthorityMove = Exclude<AuthorityAct, 'registration-authority.apply' | 'registration-authority.amend'>;

interface MoveParameters {
  readonly region: string;
  /** Of an attestation: digest of the report (documents examined, premises inspected). */
  readonly evidence?: string;
  /** Ids of the operators who were appointed. */
  readonly operators?: readonly string[];
}

const MOST_OPERATORS = 50;
const personList: MemberCheck = (value) =>
  Array.isArray(value) &&
  value.length >= LEAST_OPERATORS &&
  value.length <= MOST_OPERATORS &&
  value.every((id) => typeof id === 'string')
    ? undefined
    : `must be a list of ${LEAST_OPERATORS} to ${MOST_OPERATORS} person ids`;

/** What an act states besides the region. */
const FURTHER_MEMBERS: Readonly<Partial<Record<AuthorityMove, Readonly<Record<string, MemberCheck>>>>> = {
  'registration-authority.attest-documents': { evidence: sm3Text },
  'registration-authority.attest-premises': { evidence: sm3Text },
  'registration-authority.appoint-operators': { operators: personList },
};

/** @throws KmcError E_SCHEMA. */
function parametersOf(act: AuthorityMove, params: SignedObject): MoveParameters {
  const checks: Readonly<Record<string, MemberCheck>> = { ...REGION_MEMBER, ...FURTHER_MEMBERS[act] };
  requireMembers<MoveParameters>(params, checks, 'act on a registration authority');
  return params;
}

/** @throws KmcError E_FORBIDDEN for one who cannot work as operator of the region; E_SAME_PERSON. */
async function requireNamedOperators(
  reader: Reader,
  { region, operators = [] }: MoveParameters,
  at: Date,
): Promise<void> {
  const able = await operatorsOf(reader, region, at);
  const named = await Promise.all(operators.map((id) => reader.people.find(id)));
  for (const [index, person] of named.entries()) {
    if (person === undefined || !able.some((one) => isSamePerson(one, person))) {
      throw new KmcError(
        'E_FORBIDDEN',
        `${operators[index]} cannot work as operator of the region: grant the role first.`,
      );
    }
    if (named.slice(0, index).some((other) => other !== undefined && isSamePerson(other, person))) {
      throw new KmcError('E_SAME_PERSON', 'The same person stands twice among the operators.');
    }
  }
}

async function requireMovable(
  reader: Reader,
  act: AuthorityMove,
  row: RegistrationAuthorityRow,
  stated: MoveParameters,
  at: Date,
): Promise<void> {
  stateAfter(act, row.state);
  await requireNamedOperators(reader, stated, at);
  await requireOperators(reader, act, row.region, at);
}

/** Fields of the event besides the states. */
function statedDetail({ region, evidence, operators }: MoveParameters): AuditEventInput['detail'] {
  return {
    region,
    ...(evidence === undefined ? {} : { evidence }),
    ...(operators === undefined ? {} : { operators: operators.length }),
  };
}

async function move(tx: Transaction, action: AuthorityMove, act: ApprovedAct, event: string): Promise<SignedTarget> {
  const id = authorityIdOf(act);
  const stated = parametersOf(action, act.request.params);
  const row = await presentAuthority(tx, id, act.request.params);
  await requireMovable(tx, action, row, stated, act.at);
  const state = stateAfter(action, row.state);
  const change = changeOf(row, { at: act.at, auditEvent: event }, { state });
  if (!(await tx.registrationAuthorities.change(id, row.version, change))) throw staleAuthority();
  const tokens = 'voidsTokens' in AUTHORITY_TRANSITIONS[action] ? await tx.registrationAuthorities.voidTokens(id) : 0;
  await tx.audit.append(
    authorityActEvent(
      act,
      { id: event, action, authority: id, version: row.version + 1 },
      { ...statedDetail(stated), from: row.state, to: state, ...(tokens === 0 ? {} : { tokens }) },
    ),
    act.at,
  );
  return { authority: id, state, ...(tokens === 0 ? {} : { tokens: String(tokens) }) };
}

type SignedTarget = SignedObject & { readonly authority: string; readonly state: string };

/**
 * The acts that take a registration authority along the table of transitions. Target `registration-authority/<id>`;
 * parameters `region`, and `evidence` (sm3:<hex> of the report) for the attestations, `operators` (person ids, at least
 * two) for the appointment. Before it is in service, and to be so again, two people must be able to work as operators of
 * the region. Where it stops working its unused enrolment tokens become worthless; certificates stay as they are.
 */
export function moveRegistrationAuthority(
  { clock }: { readonly clock: Clock },
  action: AuthorityMove,
): DatabaseHandler {
  return {
    kind: 'database',
    target: authorityTarget,
    async check(reader, targetId, params) {
      const row = await presentAuthority(reader, targetId, params);
      await requireMovable(reader, action, row, parametersOf(action, params), clock.now());
    },
    async prepare(act) {
      const event = newId('ev', act.at);
      return (tx) => move(tx, action, act, event);
    },
  };
}
