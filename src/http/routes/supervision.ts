/** Figures of supervision: as they stand, every total of them, and the reports of months. */
import { z } from 'zod';
import { DEVICE_STATUSES } from '../../domain/device.ts';
import { MEASURE_NAMES } from '../../domain/supervision/measures.ts';
import { reportCsv } from '../../domain/supervision/report-csv.ts';
import { reportHtml } from '../../domain/supervision/report-html.ts';
import { readReportFile } from '../../domain/supervision/report.ts';
import type { RegionNames } from '../../domain/supervision/report-rows.ts';
import type { Instance } from '../../flows/instance.ts';
import { FIGURE_READERS } from '../../flows/supervision/figure-access.ts';
import { listReports } from '../../flows/supervision/list-reports.ts';
import { readFigures } from '../../flows/supervision/read-figures.ts';
import { readReport } from '../../flows/supervision/read-report.ts';
import { readTotals } from '../../flows/supervision/read-totals.ts';
import { route, type Reply, type Route } from '../route.ts';
import { REGION, timeText } from '../schemas.ts';

const PATH = '/api/v1/supervision';
const TAG = 'supervision';
const DAY = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'a day like 2026-12-31')
  .refine((text) => new Date(`${text}T00:00:00Z`).toJSON()?.slice(0, 10) === text, 'a day that exists');
const MONTH = z.string().regex(/^\d{4}-(?:0[1-9]|1[0-2])$/, 'a month like 2026-12');
const NUMBER = z.int();

const SUMS = z.object({
  certificates: z.object({
    valid: NUMBER,
    held: NUMBER,
    expiring: NUMBER.describe('of the valid ones, those that end within 30 days'),
    issued: NUMBER,
    imported: NUMBER,
    revoked: NUMBER,
    suspended: NUMBER,
    released: NUMBER,
  }),
  devices: z.record(z.enum(DEVICE_STATUSES), NUMBER),
  enrolments: z.object({
    completed: NUMBER,
    renewed: NUMBER,
    refused: NUMBER,
    expired: NUMBER,
    waiting: NUMBER,
  }),
  requests: z.object({ created: NUMBER, waiting: NUMBER }),
  keys: z.object({
    made: NUMBER,
    given: NUMBER,
    recovered: NUMBER,
    recoveredJudicial: NUMBER,
    compromised: NUMBER,
    destroyed: NUMBER,
    broken: NUMBER,
  }),
});
const PARTS = z.array(
  z.object({
    name: z.string(),
    sums: z.record(z.string(), z.record(z.string(), NUMBER)).describe('the members of total'),
  }),
);

const FIGURES = z.object({
  period: z.object({ day: DAY, from: DAY, to: DAY, expiringDays: NUMBER }),
  total: SUMS,
  regions: PARTS,
  registrationAuthorities: PARTS,
  profiles: PARTS,
  algorithms: PARTS.describe('by the key algorithm of the issuing authority'),
  models: PARTS,
  days: PARTS,
  revocations: z.record(z.string(), NUMBER),
  refusals: z.record(z.string(), NUMBER),
  crlsIssued: NUMBER,
  accessRefused: NUMBER,
  unattributed: NUMBER.describe('events that do not say enough to be booked'),
});

const ANSWER = z.object({
  at: z.string(),
  events: NUMBER.describe('the figures are the sum of so many events of the log'),
  regions: z.array(z.object({ code: REGION, kind: z.string(), en: z.string(), zh: z.string() })),
  targets: z.object({ certificates: NUMBER, perRegistrationAuthority: NUMBER }),
  figures: FIGURES,
});

const TOTALS = z.object({
  events: NUMBER,
  totals: z.array(
    z.object({
      measure: z.enum(MEASURE_NAMES),
      day: z.string(),
      region: z.string(),
      registrar: z.string(),
      profile: z.string(),
      algorithm: z.string(),
      label: z.string(),
      value: NUMBER,
    }),
  ),
});

/** What a report is asked for as; what is not asked for by name is JSON. */
const FORMS = {
  json: { type: 'application/json', of: (body: Buffer): Buffer => body },
  csv: {
    type: 'text/csv; charset=utf-8',
    of: (body: Buffer, names: RegionNames) => reportCsv(readReportFile(body), names),
  },
  html: {
    type: 'text/html; charset=utf-8',
    of: (body: Buffer, names: RegionNames) => reportHtml(readReportFile(body), names),
  },
} as const;
const FORM_NAMES = ['json', 'csv', 'html'] as const;
/** A page that came from here loads and runs nothing. */
const REPORT_HEADERS = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
};

function namesOf({ policies }: Pick<Instance, 'policies'>): RegionNames {
  return new Map(policies.regions.map(({ code, name }) => [code, name]));
}

function figuresRoute(instance: Instance): Route {
  return route({
    operationId: 'getFigures',
    method: 'get',
    path: `${PATH}/figures`,
    tag: TAG,
    summary: 'Figures as they stand and of a period, for an ra-operator those of the own region',
    access: { persons: ['ra-operator', ...FIGURE_READERS] },
    console: true,
    query: z.strictObject({
      region: REGION.optional(),
      from: DAY.optional().describe('the last 30 days unless told'),
      to: DAY.optional(),
    }),
    answers: { 200: { description: 'the figures', schema: ANSWER }, 404: { description: 'a region of others' } },
    async handle({ query, caller }) {
      const { region, from, to } = query;
      const asked = {
        ...(region === undefined ? {} : { region }),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
      };
      const { figures, events, at } = await readFigures(instance, caller, asked);
      const { regions, targets } = instance.policies;
      return {
        status: 200,
        json: {
          at: timeText(at),
          events,
          regions: regions.map(({ code, kind, name }) => ({ code, kind, en: name.en, zh: name.zh })),
          targets: {
            certificates: targets.certificates,
            perRegistrationAuthority: targets.perRegistrationAuthority,
          },
          figures,
        },
      };
    },
  });
}

/** Routes of figures and reports. */
export function supervisionRoutes(instance: Instance): Route[] {
  return [
    figuresRoute(instance),
    route({
      operationId: 'getTotals',
      method: 'get',
      path: `${PATH}/totals`,
      tag: TAG,
      summary: 'Every total with the number of events that they are the sum of: to be held against a copy of the log',
      access: { persons: FIGURE_READERS },
      answers: { 200: { description: 'the totals', schema: TOTALS } },
      async handle() {
        return { status: 200, json: await readTotals(instance) };
      },
    }),
    route({
      operationId: 'listReports',
      method: 'get',
      path: `${PATH}/reports`,
      tag: TAG,
      summary: 'The months that are over and have their report',
      access: { persons: FIGURE_READERS },
      console: true,
      answers: {
        200: {
          description: 'oldest first',
          schema: z.object({ items: z.array(z.object({ month: MONTH, events: NUMBER, createdAt: z.string() })) }),
        },
      },
      async handle() {
        const items = await listReports(instance);
        return { status: 200, json: { items: items.map((one) => ({ ...one, createdAt: timeText(one.createdAt) })) } };
      },
    }),
    route({
      operationId: 'getReport',
      method: 'get',
      path: `${PATH}/reports/:month`,
      tag: TAG,
      summary: 'The report of a month; of one that is not over, as far as it goes',
      access: { persons: FIGURE_READERS },
      console: true,
      params: z.strictObject({ month: MONTH }),
      query: z.strictObject({ form: z.enum(FORM_NAMES).optional().describe('json unless told') }),
      answers: {
        200: { description: 'the octets of the report', type: 'application/json' },
        404: { description: 'no report of that month' },
      },
      async handle({ params, query }): Promise<Reply> {
        const { type, of } = FORMS[query.form ?? 'json'];
        const body = of(await readReport(instance, params.month), namesOf(instance));
        return { status: 200, headers: REPORT_HEADERS, bytes: { type, body } };
      },
    }),
  ];
}
