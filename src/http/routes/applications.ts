/** Applications as people see them: certificates and grants. What changes them are requests (`application.*`). */
import { z } from 'zod';
import { APPLICATION_STATUSES } from '../../domain/application.ts';
import { KEY_OPERATIONS } from '../../domain/managed-key.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../../flows/instance.ts';
import type { ApplicationRow } from '../../flows/ports/applications.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, timeText } from '../schemas.ts';

const PATH = '/api/v1/applications';
const TAG = 'applications';
const READERS = ['ca-operator', 'ca-owner', 'security-administrator', 'auditor'] as const;

const APPLICATION = z.object({
  id: ID,
  name: z.string(),
  unit: z.string(),
  organisation: z.string(),
  status: z.enum(APPLICATION_STATUSES),
  version: z.string(),
  registeredAt: z.string(),
  changedAt: z.string(),
});
const SHOWN = APPLICATION.extend({
  certificates: z.array(ID),
  grants: z.array(z.object({ key: ID, operations: z.array(z.enum(KEY_OPERATIONS)), changedAt: z.string() })),
});

function rendered(row: ApplicationRow): z.infer<typeof APPLICATION> {
  const { id, name, unit, organisation, status } = row;
  return {
    id,
    name,
    unit,
    organisation,
    status,
    version: String(row.version),
    registeredAt: timeText(row.registeredAt),
    changedAt: timeText(row.changedAt),
  };
}

/** Routes of applications. */
export function applicationRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listApplications',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'Registered applications',
      access: { persons: READERS },
      query: z.strictObject(PAGE_QUERY),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(APPLICATION) }) } },
      async handle({ query }) {
        const page = pageOf(query);
        const rows = await instance.database.read((reader) => reader.applications.list(page));
        return listReply(PATH, {}, page, rows, ({ id }) => id, rendered);
      },
    }),
    route({
      operationId: 'getApplication',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'One application, with its certificates and its grants',
      access: { persons: READERS },
      params: z.strictObject({ id: ID }),
      answers: { 200: { description: 'the application', schema: SHOWN } },
      async handle({ params }) {
        return await instance.database.read(async ({ applications }) => {
          const row = await applications.find(params.id);
          if (row === undefined) throw new KmcError('E_NOT_FOUND', 'there is no application of that id');
          const grants = await applications.grantsOf(row.id);
          const json: z.infer<typeof SHOWN> = {
            ...rendered(row),
            certificates: await applications.certificatesOf(row.id),
            grants: grants
              .filter(({ operations }) => operations.length > 0)
              .map(({ keyId, operations, changedAt }) => ({
                key: keyId,
                operations: [...operations],
                changedAt: timeText(changedAt),
              })),
          };
          return { status: 200, json };
        });
      },
    }),
  ];
}
