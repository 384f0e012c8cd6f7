/** Dual control: requests, signed decisions on them, their execution, and the approval file that proves it all. */
import { z } from 'zod';
import { parseStrictJson } from '../../crypto/jcs.ts';
import { ACTION_NAMES } from '../../domain/action.ts';
import { REQUEST_STATES } from '../../domain/approval/state.ts';
import { digestWords } from '../../domain/digest-words.ts';
import { createRequest } from '../../flows/approvals/create-request.ts';
import { decideRequest } from '../../flows/approvals/decide-request.ts';
import { executeRequest } from '../../flows/approvals/execute-request.ts';
import { exportApproval } from '../../flows/approvals/export-approval.ts';
import { listRequests } from '../../flows/approvals/list-requests.ts';
import { showRequest, type ShownRequest } from '../../flows/approvals/show-request.ts';
import { withdrawRequest } from '../../flows/approvals/withdraw-request.ts';
import type { ApprovalRow } from '../../flows/ports/approvals.ts';
import type { RequestRow } from '../../flows/ports/requests.ts';
import { PAGE_QUERY, pageOf, pageReply } from '../listing.ts';
import { route, type Route } from '../route.ts';
import { DIGEST, ID, SIGNED_OBJECT, TIME, timeText } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';

const PATH = '/api/v1/requests';
const TAG = 'requests';
const PARAMS = z.strictObject({ id: ID });
const ANY_PERSON = { persons: 'any' } as const;
const OPERATION = z.enum(ACTION_NAMES);

const FILTER = z.strictObject({
  ...PAGE_QUERY,
  for: z.literal('me').optional().describe('only open ones that wait for a decision of the caller'),
  state: z.enum(REQUEST_STATES).optional(),
  op: OPERATION.optional(),
  proposer: z
    .string()
    .regex(/^(?:(?:authority|system)\/)?[a-z0-9][a-z0-9-]{0,63}$/)
    .optional(),
  target: z
    .string()
    .regex(/^[a-z][a-z-]{0,31}\/[a-z0-9][a-z0-9-]{0,63}$/)
    .optional(),
});

const NEW_REQUEST = z.strictObject({
  op: OPERATION,
  targetId: ID,
  params: SIGNED_OBJECT.describe('everything that the act needs; text, booleans, lists and objects of these'),
  reason: z.string().min(1).max(2000),
  attachments: z
    .array(z.strictObject({ name: z.string().min(1).max(200), sm3: DIGEST }))
    .max(16)
    .optional(),
  expiresAt: TIME.optional().describe('where the class asks for it: end of the case or ceremony'),
});

const DECISION = z.strictObject({
  body: SIGNED_OBJECT.describe('kmc.approval/1: decision, role, digest of the request, …'),
  signature: z.string().max(128).describe('base64 of the raw SM2 signature r||s over KMC-APPROVAL-V1 0x00 JCS(body)'),
  certificate: z
    .string()
    .max(16 * 1024)
    .describe('base64 of DER'),
});

const SUMMARY = z.object({ id: ID, op: OPERATION, state: z.enum(REQUEST_STATES), digest: DIGEST, expiresAt: TIME });
const CREATED = z.object({
  id: ID,
  digest: DIGEST,
  words: z.array(z.string()),
  canonical: z.string(),
  state: z.string(),
});
const DECIDED = z.object({ id: ID, state: z.enum(REQUEST_STATES), evaluation: z.object({}) });

function summary(row: RequestRow): object {
  return {
    id: row.id,
    op: row.op,
    class: row.class,
    state: row.state,
    version: String(row.version),
    proposer: row.proposer,
    target: row.target,
    digest: row.digest,
    createdAt: timeText(row.createdAt),
    expiresAt: timeText(row.expiresAt),
    ...(row.quorumAt === undefined ? {} : { quorumAt: timeText(row.quorumAt) }),
  };
}

function decision(row: ApprovalRow): object {
  return {
    person: row.personId,
    role: row.role,
    decision: row.decision,
    decidedAt: timeText(row.decidedAt),
    ...(row.withdrawal === undefined ? {} : { withdrawnAt: timeText(row.withdrawal.at) }),
  };
}

function shown({ row, request, decisions, evaluation, result }: ShownRequest): object {
  return {
    ...summary(row),
    words: digestWords(row.digest),
    canonical: row.canonical.toString('base64'),
    request,
    decisions: decisions.map(decision),
    evaluation,
    ...(result === undefined ? {} : { result: parseStrictJson(result) }),
  };
}

function readRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'listRequests',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'Requests that the caller sees',
      access: ANY_PERSON,
      console: true,
      query: FILTER,
      answers: { 200: { description: 'a page', schema: z.object({ items: z.array(SUMMARY) }) } },
      async handle({ query, caller }) {
        const { limit: _limit, cursor: _cursor, for: whom, ...wanted } = query;
        const page = pageOf(query);
        const filter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
        const { rows, next } = await listRequests(instance, { filter, page, awaitingCaller: whom === 'me' }, caller);
        return pageReply(PATH, { ...wanted, for: whom }, page, next, rows.map(summary));
      },
    }),
    route({
      operationId: 'getRequest',
      method: 'get',
      path: `${PATH}/:id`,
      tag: TAG,
      summary: 'One request: what is asked, octet by octet, and who decided what',
      access: ANY_PERSON,
      params: PARAMS,
      answers: { 200: { description: 'the request', schema: SUMMARY.extend({ words: z.array(z.string()) }) } },
      async handle({ params, caller }) {
        return { status: 200, json: shown(await showRequest(instance, params.id, caller)) };
      },
    }),
    route({
      operationId: 'getApprovalFile',
      method: 'get',
      path: `${PATH}/:id/file`,
      tag: TAG,
      summary: 'Request, approvals in force and certificates in one file that verifies offline',
      access: ANY_PERSON,
      params: PARAMS,
      answers: { 200: { description: 'the approval file', type: 'application/json' } },
      async handle({ params, caller }) {
        await showRequest(instance, params.id, caller);
        const text = await exportApproval(instance, params.id);
        return { status: 200, bytes: { type: 'application/json', body: Buffer.from(text, 'utf8') } };
      },
    }),
  ];
}

function decideRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'decideRequest',
      method: 'post',
      path: `${PATH}/:id/approvals`,
      tag: TAG,
      summary: 'Hands in a signed decision: approval, rejection, or withdrawal of an own approval',
      access: ANY_PERSON,
      idempotent: true,
      params: PARAMS,
      body: DECISION,
      answers: { 201: { description: 'where the request stands now', schema: DECIDED } },
      async handle({ params, body, caller, requestId }) {
        await showRequest(instance, params.id, caller);
        const input = { requestId: params.id, decision: body, source: auditSourceOf(instance, requestId) };
        const { state, evaluation } = await decideRequest(instance, input, caller);
        return { status: 201, json: { id: params.id, state, evaluation } };
      },
    }),
    route({
      operationId: 'withdrawRequest',
      method: 'post',
      path: `${PATH}/:id/withdrawal`,
      tag: TAG,
      summary: 'Takes the own request back before it is executed',
      access: ANY_PERSON,
      idempotent: true,
      params: PARAMS,
      body: z.strictObject({}),
      answers: { 200: { description: 'withdrawn', schema: z.object({ id: ID, state: z.literal('WITHDRAWN') }) } },
      async handle({ params, caller, requestId }) {
        await showRequest(instance, params.id, caller);
        await withdrawRequest(instance, { requestId: params.id, source: auditSourceOf(instance, requestId) }, caller);
        return { status: 200, json: { id: params.id, state: 'WITHDRAWN' } };
      },
    }),
    route({
      operationId: 'executeRequest',
      method: 'post',
      path: `${PATH}/:id/executions`,
      tag: TAG,
      summary: 'Does what was approved, once',
      access: ANY_PERSON,
      idempotent: true,
      params: PARAMS,
      body: z.strictObject({}),
      answers: {
        201: { description: 'what came of it', schema: z.object({ id: ID, digest: DIGEST, result: z.object({}) }) },
      },
      async handle({ params, caller, requestId }) {
        await showRequest(instance, params.id, caller);
        const input = { requestId: params.id, source: auditSourceOf(instance, requestId) };
        const { requestDigest, result } = await executeRequest(instance, input, caller);
        return { status: 201, json: { id: params.id, digest: requestDigest, result } };
      },
    }),
  ];
}

/** Routes of requests. */
export function requestRoutes(instance: ServedInstance): Route[] {
  return [
    ...readRoutes(instance),
    ...decideRoutes(instance),
    route({
      operationId: 'createRequest',
      method: 'post',
      path: PATH,
      tag: TAG,
      summary: 'Asks for an act that needs approvals',
      access: ANY_PERSON,
      idempotent: true,
      body: NEW_REQUEST,
      answers: { 201: { description: 'the open request; what is to be signed is its digest', schema: CREATED } },
      async handle({ body, caller, requestId }) {
        const { expiresAt, attachments, ...asked } = body;
        const created = await createRequest(
          instance,
          {
            ...asked,
            ...(attachments === undefined ? {} : { attachments }),
            ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
            source: auditSourceOf(instance, requestId),
          },
          caller,
        );
        const { request, digest, words, canonical, state } = created;
        const json = { id: request.id, digest, words, canonical: canonical.toString('base64'), state, request };
        return { status: 201, json };
      },
    }),
  ];
}
