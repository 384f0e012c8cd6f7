/** Break-glass: two of three sealed accounts stop things for four hours; everybody sees it, and two auditors review it. */
import { z } from 'zod';
import { BREAK_GLASS_QUORUM, SEALED_ACCOUNTS, sessionLasts } from '../../domain/break-glass.ts';
import { endBreakGlass } from '../../flows/break-glass/end-break-glass.ts';
import { openBreakGlass } from '../../flows/break-glass/open-break-glass.ts';
import { pauseIssuance } from '../../flows/break-glass/pause-issuance.ts';
import { reportBreakGlass } from '../../flows/break-glass/report-break-glass.ts';
import { reviewBreakGlass } from '../../flows/break-glass/review-break-glass.ts';
import { route, type Route } from '../route.ts';
import { DIGEST, ID, LABEL_TEXT, SIGNED_OBJECT, timeText } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';

const PATH = '/api/v1/break-glass';
const TAG = 'break-glass';
const PARAMS = z.strictObject({ id: ID });

const STATEMENT = z.strictObject({
  body: SIGNED_OBJECT.describe('kmc.break-glass/1: session, instance, reason, account, bag, …'),
  signature: z
    .string()
    .max(128)
    .describe('base64 of the raw SM2 signature r||s over KMC-BREAK-GLASS-V1 0x00 JCS(body)'),
  certificate: z
    .string()
    .max(16 * 1024)
    .describe('base64 of DER'),
});
const SESSION = z.object({
  id: ID,
  reason: z.string(),
  openedAt: z.string(),
  expiresAt: z.string(),
  endedAt: z.string().optional(),
  lasts: z.boolean(),
  reviews: z.array(z.object({ person: ID, report: DIGEST, findings: z.string(), at: z.string() })),
});
const ACCOUNT = z.object({ id: z.enum(SEALED_ACCOUNTS), bag: z.string(), state: z.string(), sealedAt: z.string() });

function overviewRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'getBreakGlass',
    method: 'get',
    path: PATH,
    tag: TAG,
    summary: 'The sealed accounts, and every session with its reviews',
    access: { persons: 'any' },
    answers: {
      200: { description: 'all of it', schema: z.object({ accounts: z.array(ACCOUNT), sessions: z.array(SESSION) }) },
    },
    handle: () =>
      instance.database.snapshot(async ({ breakGlass }) => {
        const sessions: object[] = [];
        for (const session of await breakGlass.sessions()) {
          const { id, reason, openedAt, expiresAt, endedAt } = session;
          const reviews = await breakGlass.reviews(id);
          sessions.push({
            id,
            reason,
            openedAt: timeText(openedAt),
            expiresAt: timeText(expiresAt),
            ...(endedAt === undefined ? {} : { endedAt: timeText(endedAt) }),
            lasts: sessionLasts(session, instance.clock.now()),
            reviews: reviews.map(({ person, report, findings, at }) => ({
              person,
              report,
              findings,
              at: timeText(at),
            })),
          });
        }
        const accounts = (await breakGlass.accounts()).map(({ id, bag, state, sealedAt }) => ({
          id,
          bag,
          state,
          sealedAt: timeText(sealedAt),
        }));
        return { status: 200, json: { accounts, sessions } };
      }),
  });
}

function sessionRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'openBreakGlass',
      method: 'post',
      path: PATH,
      tag: TAG,
      summary: 'Breaks the glass: the signed statements of two sealed accounts, whoever hands them in',
      access: { public: true },
      idempotent: true,
      body: z.strictObject({ statements: z.array(STATEMENT).min(1).max(SEALED_ACCOUNTS.length) }),
      answers: {
        201: {
          description: `the session, once ${BREAK_GLASS_QUORUM} accounts stated it`,
          schema: z.object({ session: ID, until: z.string() }),
        },
      },
      async handle({ body, requestId }) {
        const input = { statements: body.statements, source: auditSourceOf(instance, requestId) };
        const { session, expiresAt } = await openBreakGlass(instance, input);
        instance.glass.forget();
        return { status: 201, json: { session, until: timeText(expiresAt) } };
      },
    }),
    route({
      operationId: 'endBreakGlass',
      method: 'post',
      path: `${PATH}/end`,
      tag: TAG,
      summary: 'Ends the session before its time',
      access: { persons: ['security-administrator'] },
      idempotent: true,
      body: z.strictObject({}),
      answers: { 200: { description: 'ended', schema: z.object({ session: ID }) } },
      async handle({ caller, requestId }) {
        const session = await endBreakGlass(instance, caller, requestId);
        instance.glass.forget();
        return { status: 200, json: { session } };
      },
    }),
    route({
      operationId: 'pauseIssuance',
      method: 'post',
      path: '/api/v1/issuance/pause',
      tag: TAG,
      summary: 'Pauses the issuing of certificates, under break-glass; the act issuance.resume ends it',
      access: { sealedAccounts: true },
      idempotent: true,
      body: z.strictObject({ reason: LABEL_TEXT }),
      answers: { 201: { description: 'paused', schema: z.object({ issuance: z.literal('paused') }) } },
      async handle({ body, caller, requestId }) {
        await pauseIssuance(instance, caller, { reason: body.reason, requestId });
        instance.glass.forget();
        return { status: 201, json: { issuance: 'paused' } };
      },
    }),
  ];
}

/** Routes of break-glass. */
export function breakGlassRoutes(instance: ServedInstance): Route[] {
  return [
    overviewRoute(instance),
    ...sessionRoutes(instance),
    route({
      operationId: 'getBreakGlassReport',
      method: 'get',
      path: `${PATH}/:id/report`,
      tag: TAG,
      summary: 'The report of a session that has ended; it verifies offline',
      access: { persons: 'any' },
      params: PARAMS,
      answers: { 200: { description: 'the report', type: 'application/json' } },
      async handle({ params }) {
        const { text } = await reportBreakGlass(instance, params.id);
        return { status: 200, bytes: { type: 'application/json', body: Buffer.from(text, 'utf8') } };
      },
    }),
    route({
      operationId: 'reviewBreakGlass',
      method: 'post',
      path: `${PATH}/:id/reviews`,
      tag: TAG,
      summary: 'Records that an auditor has reviewed the report; two must within 72 hours',
      access: { persons: ['auditor'] },
      idempotent: true,
      params: PARAMS,
      body: z.strictObject({ report: DIGEST, findings: LABEL_TEXT }),
      answers: { 201: { description: 'reviewed', schema: z.object({ session: ID, report: DIGEST }) } },
      async handle({ params, body, caller, requestId }) {
        await reviewBreakGlass(instance, caller, { session: params.id, ...body, requestId });
        instance.glass.forget();
        return { status: 201, json: { session: params.id, report: body.report } };
      },
    }),
  ];
}
