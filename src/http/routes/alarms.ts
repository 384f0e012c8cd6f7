/** Targets with progress and forecast, and alarms. */
import { z } from 'zod';
import { ALARM_KIND_NAMES } from '../../domain/supervision/alarms.ts';
import { REGISTRATION_AUTHORITY_STATES } from '../../domain/registration-authority.ts';
import { listAlarms } from '../../flows/alarms/list-alarms.ts';
import type { Instance } from '../../flows/instance.ts';
import type { AlarmRow } from '../../flows/ports/alarms.ts';
import { FIGURE_READERS } from '../../flows/supervision/figure-access.ts';
import { readTargets } from '../../flows/targets/read-targets.ts';
import { listReply, PAGE_QUERY, pageOf } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { ID, REGION, TIME, timeText } from '../schemas.ts';

const PATH = '/api/v1/supervision';
const TAG = 'supervision';
const READERS = ['ra-operator', ...FIGURE_READERS] as const;
const KIND = z.enum(ALARM_KIND_NAMES);
const NUMBER = z.number();

const PROGRESS = z.object({
  target: NUMBER,
  valid: NUMBER,
  missing: NUMBER,
  perDay: NUMBER.describe('valid certificates that come a day: least squares over the last 90 days'),
  reachedOn: z.string().optional().describe('when the line meets the target'),
});
const TARGETS = z.object({
  day: z.string(),
  total: PROGRESS.optional(),
  authorities: z.array(PROGRESS.extend({ id: ID, region: REGION, state: z.enum(REGISTRATION_AUTHORITY_STATES) })),
});
const ALARM = z.object({
  id: ID,
  kind: KIND,
  subject: z.string(),
  region: REGION.optional(),
  says: z.string(),
  raisedAt: TIME,
  clearedAt: TIME.optional(),
});

function rendered({ id, kind, subject, region, says, raisedAt, clearedAt }: AlarmRow): z.infer<typeof ALARM> {
  return {
    id,
    kind,
    subject,
    ...(region === undefined ? {} : { region }),
    says,
    raisedAt: timeText(raisedAt),
    ...(clearedAt === undefined ? {} : { clearedAt: timeText(clearedAt) }),
  };
}

/** Routes of targets and alarms. */
export function alarmRoutes(instance: Instance): Route[] {
  return [
    route({
      operationId: 'getTargets',
      method: 'get',
      path: `${PATH}/targets`,
      tag: TAG,
      summary: 'Targets of policy with progress and forecast, for an ra-operator that of the own region',
      access: { persons: READERS },
      query: z.strictObject({ region: REGION.optional() }),
      answers: { 200: { description: 'today', schema: TARGETS }, 404: { description: 'a region of others' } },
      async handle({ query, caller }) {
        const { day, total, authorities } = await readTargets(instance, caller, query.region);
        return { status: 200, json: { day, ...(total === undefined ? {} : { total }), authorities } };
      },
    }),
    route({
      operationId: 'listAlarms',
      method: 'get',
      path: `${PATH}/alarms`,
      tag: TAG,
      summary: 'Alarms (告警), for an ra-operator those of the own region; each stands in the audit log too',
      access: { persons: READERS },
      console: true,
      query: z.strictObject({
        ...PAGE_QUERY,
        kind: KIND.optional(),
        region: REGION.optional(),
        state: z.enum(['open', 'all']).optional().describe('open unless told'),
      }),
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(ALARM) }) } },
      async handle({ query, caller }) {
        const { kind, region, state = 'open' } = query;
        const page = pageOf(query);
        const filter = {
          ...(kind === undefined ? {} : { kind }),
          ...(region === undefined ? {} : { region }),
          open: state === 'open',
        };
        const rows = await listAlarms(instance, caller, filter, page);
        return listReply(`${PATH}/alarms`, { kind, region, state }, page, rows, ({ id }) => id, rendered);
      },
    }),
  ];
}
