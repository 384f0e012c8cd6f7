/** People who come with a key of their own, and acts on them from request to execution. */
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import type { RoleGrant } from '../../../src/domain/person.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import type { CreatedRequest } from '../../../src/flows/approvals/create-request.ts';
import { executeRequest, type ExecutedRequest } from '../../../src/flows/approvals/execute-request.ts';
import { makePersonalCertificate } from '../../../src/flows/ceremonies/make-personal-certificate.ts';
import type { NamedPerson } from '../../../src/flows/people/personal-certificate.ts';
import { approve, ask, type Asked } from '../../fixtures/approvals.ts';
import type { CastMember } from '../../fixtures/estate.ts';
import { SYSTEM, type TestInstance } from '../../fixtures/instance.ts';

const COOL_DOWN = 3600;

export const NEWCOMER: NamedPerson = { id: 'p-new', name: 'New Person', unit: 'pki', organisation: 'kmc' };

export interface Brought {
  readonly key: KeyHandle;
  /** Self-signed, DER. */
  readonly certificate: Buffer;
}

/** A new key with the self-signed certificate that the person brings. */
export async function bring({ instance }: TestInstance, person: NamedPerson = NEWCOMER): Promise<Brought> {
  const key = await instance.engine.generateKeyPair('SM2');
  const certificate = await makePersonalCertificate(instance.engine, key, person, instance.clock.now());
  return { key, certificate };
}

/** The request to appoint somebody. */
export function appointment(
  { certificate }: Pick<Brought, 'certificate'>,
  roles: readonly RoleGrant[],
  person: NamedPerson = NEWCOMER,
  op: 'person.appoint' | 'person.appoint-auditor' = 'person.appoint',
  identity?: string,
): Asked {
  const { id, name, unit, organisation, region } = person;
  return {
    op,
    targetId: id,
    params: {
      name,
      unit,
      organisation,
      ...(region === undefined ? {} : { region }),
      ...(identity === undefined ? {} : { identity }),
      roles: roles.map((grant) => ({ ...grant })),
      certificate: certificate.toString('base64'),
    },
  };
}

export function propose(test: TestInstance, asked: Asked): Promise<CreatedRequest> {
  return ask(test, actionHandlers(test.instance), asked, SYSTEM);
}

/** The three who decide acts of class L3. */
export function deciders({ people }: TestInstance): readonly CastMember[] {
  return [people.caOwner, people.securityOne, people.securityTwo];
}

export function execute(test: TestInstance, { request }: CreatedRequest): Promise<ExecutedRequest> {
  const ports = { ...test.instance, handlers: actionHandlers(test.instance) };
  return executeRequest(ports, { requestId: request.id, source: { node: 'node-1' } }, SYSTEM);
}

export async function approved(
  test: TestInstance,
  asked: Asked,
  by: readonly CastMember[] = deciders(test),
): Promise<CreatedRequest> {
  const created = await propose(test, asked);
  await approve(test, created, by);
  return created;
}

/** From the request over the approvals to the execution. */
export async function carryOut(
  test: TestInstance,
  asked: Asked,
  by: readonly CastMember[] = deciders(test),
): Promise<ExecutedRequest> {
  const created = await approved(test, asked, by);
  test.clock.advance(COOL_DOWN);
  return await execute(test, created);
}

/** Somebody in the database who has no account: counts among those who could decide. */
export async function addPerson(
  test: TestInstance,
  person: NamedPerson,
  ...roles: readonly RoleGrant[]
): Promise<void> {
  const at = test.clock.now();
  const row = { ...person, region: person.region, identityDigest: undefined, status: 'active', version: 1 } as const;
  await test.database.transaction(async (tx) => {
    await tx.people.insert({ ...row, createdAt: at });
    for (const grant of roles) await tx.people.grantRole(person.id, grant, at);
  });
}

/** What the audit log says happened to a person. */
export async function actsOn(test: TestInstance, id: string): Promise<string[]> {
  return (await test.history('person', id)).map(({ act }) => act);
}
