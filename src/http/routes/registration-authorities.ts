/** Registration authorities: where each stands, what it may register and has registered. The acts on them are requests. */
import { z } from 'zod';
import { REGISTRATION_AUTHORITY_STATES } from '../../domain/registration-authority.ts';
import { DEVICE_READERS } from '../../flows/devices/device-access.ts';
import type { Instance } from '../../flows/instance.ts';
import {
  listRegistrationAuthorities,
  type ShownAuthority,
} from '../../flows/registration-authorities/list-registration-authorities.ts';
import { showRegistrationAuthority } from '../../flows/registration-authorities/show-registration-authority.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, REGION, TIME, timeText } from '../schemas.ts';

const PATH = '/api/v1/supervision/registration-authorities';
const TAG = 'supervision';
const READERS = ['ra-operator', ...DEVICE_READERS] as const;
const STATE = z.enum(REGISTRATION_AUTHORITY_STATES);
const NUMBER = z.int().min(0);

const AUTHORITY = z.object({
  id: ID,
  region: REGION,
  name: z.object({ en: z.string(), zh: z.string() }),
  state: STATE,
  version: z.string(),
  profiles: z.array(ID).describe('device profiles that it may use'),
  quota: z.object({ devices: NUMBER, devicesPerDay: NUMBER }),
  registered: z.object({
    devices: NUMBER.describe('those that are not decommissioned'),
    today: NUMBER.describe('registered today (UTC)'),
  }),
  operators: z.array(ID).describe('who can work as its operators now; two are needed'),
  appliedAt: TIME,
  changedAt: TIME,
});

function rendered({ row, registered, operators }: ShownAuthority): z.infer<typeof AUTHORITY> {
  return {
    id: row.id,
    region: row.region,
    name: { en: row.nameEn, zh: row.nameZh },
    state: row.state,
    version: String(row.version),
    profiles: [...row.profiles],
    quota: { devices: row.devices, devicesPerDay: row.devicesPerDay },
    registered,
    operators: [...operators],
    appliedAt: timeText(row.appliedAt),
    changedAt: timeText(row.changedAt),
  };
}

/** Routes of registration authorities. */
export function registrationAuthorityRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'listRegistrationAuthorities',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'Registration authorities, for an ra-operator that of the own region',
      access: { persons: READERS },
      console: true,
      query: z.strictObject({ ...PAGE_QUERY, region: REGION.optional(), state: STATE.optional() }),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(AUTHORITY) }) } },
      async handle({ query, caller }) {
        const { region, state } = query;
        const filter = { ...(region === undefined ? {} : { region }), ...(state === undefined ? {} : { state }) };
        const page = pageOf(query);
        const shown = await listRegistrationAuthorities(instance, caller, filter, page);
        return listReply(PATH, filter, page, shown, ({ row }) => row.id, rendered);
      },
    }),
    route({
      operationId: 'getRegistrationAuthority',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'One registration authority',
      access: { persons: READERS },
      params: z.strictObject({ id: ID }),
      answers: {
        200: { description: 'the authority', schema: AUTHORITY },
        404: { description: 'absent, or of another region' },
      },
      async handle({ params, caller }) {
        return { status: 200, json: rendered(await showRegistrationAuthority(instance, caller, params.id)) };
      },
    }),
  ];
}
