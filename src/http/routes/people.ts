/** People, their roles and accounts: no secrets, and nothing of the identity number. */
import { z } from 'zod';
import { KmcError } from '../../errors.ts';
import { suspendInEmergency } from '../../flows/break-glass/suspend-in-emergency.ts';
import type { Instance } from '../../flows/instance.ts';
import type { StoredPerson } from '../../flows/ports/people.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, LABEL_TEXT, timeText } from '../schemas.ts';

const READERS = [
  'security-administrator',
  'system-administrator',
  'ca-owner',
  'audit-administrator',
  'auditor',
] as const;
const PATH = '/api/v1/people';
const PERSON = z.object({
  id: ID,
  name: z.string(),
  unit: z.string(),
  organisation: z.string(),
  region: z.string().optional(),
  status: z.string(),
  roles: z.array(z.object({ role: z.string(), region: z.string().optional() })),
  accounts: z.array(
    z.object({
      certificate: z.string().describe('sm3:<hex> of the certificate'),
      kid: z.string(),
      tokenSerial: z.string().optional(),
      status: z.string(),
      notBefore: z.string(),
      notAfter: z.string(),
    }),
  ),
});

function rendered({ id, name, unit, organisation, region, status, roles, accounts }: StoredPerson): object {
  return {
    id,
    name,
    unit,
    organisation,
    ...(region === undefined ? {} : { region }),
    status,
    roles,
    accounts: accounts.map(({ certificateSm3, kid, tokenSerial, status: state, notBefore, notAfter }) => ({
      certificate: certificateSm3,
      kid,
      ...(tokenSerial === undefined ? {} : { tokenSerial }),
      status: state,
      notBefore: timeText(notBefore),
      notAfter: timeText(notAfter),
    })),
  };
}

/** Routes of people. */
export function personRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listPeople',
      method: 'get',
      path: PATH,
      tag: 'people',
      summary: 'People with their roles and accounts',
      access: { persons: READERS },
      query: z.strictObject(PAGE_QUERY),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(PERSON) }) } },
      async handle({ query }) {
        const page = pageOf(query);
        const people = await instance.database.read((reader) => reader.people.list(page));
        return listReply(PATH, {}, page, people, (person) => person.id, rendered);
      },
    }),
    route({
      operationId: 'getPerson',
      method: 'get',
      path: `${PATH}/:id`,
      tag: 'people',
      summary: 'One person',
      access: { persons: READERS },
      params: z.strictObject({ id: ID }),
      answers: { 200: { description: 'the person', schema: PERSON } },
      async handle({ params }) {
        const person = await instance.database.read((reader) => reader.people.find(params.id));
        if (person === undefined) throw new KmcError('E_NOT_FOUND', 'there is no person of that id');
        return { status: 200, json: rendered(person) };
      },
    }),
    route({
      operationId: 'suspendPerson',
      method: 'post',
      path: `${PATH}/:id/suspension`,
      tag: 'people',
      summary: 'Suspends a person at once, under break-glass; otherwise the act person.suspend does',
      access: { sealedAccounts: true },
      idempotent: true,
      params: z.strictObject({ id: ID }),
      body: z.strictObject({ reason: LABEL_TEXT }),
      answers: { 201: { description: 'suspended', schema: z.object({ id: ID, status: z.literal('disabled') }) } },
      async handle({ params, body, caller, requestId }) {
        await suspendInEmergency(instance, caller, { personId: params.id, reason: body.reason, requestId });
        return { status: 201, json: { id: params.id, status: 'disabled' } };
      },
    }),
  ];
}
