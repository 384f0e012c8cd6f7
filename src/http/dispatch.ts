/** One request through one route: may it come in, who calls, may they, is it a repeat, then the route's own work. */
import { z } from 'zod';
import { sm3 } from '../crypto/gm/sm3.ts';
import type { Caller } from '../domain/caller.ts';
import { namedKeyId } from '../domain/http-signature.ts';
import { KmcError, type ErrorCode } from '../errors.ts';
import { bodyOf, headerOf, sendProblem, sendReply, type Exchange } from './exchange.ts';
import { checkAccess, checkConfidential, identify, takesOfferedNonce } from './identify.ts';
import { problemOf } from './problem.ts';
import type { HttpPorts } from './ports.ts';
import type { RateLimiter } from './rate-limit.ts';
import { parsedBody, readBody } from './request-body.ts';
import { pathOf, queryOf } from './request-guard.ts';
import type { Reply, Route } from './route.ts';
import { timeText } from './schemas.ts';

const IDEMPOTENCY_KEY = /^[A-Za-z0-9_-]{8,128}$/;
/** Answers that are recorded as refusals (security-and-faults D7). */
const REFUSAL_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 429]);
/** Not a fault of the service although it answers with 503. */
const QUIET_CODES: ReadonlySet<ErrorCode> = new Set(['E_SEALED']);
const API = '/api/v1/';
const NO_BODY = Buffer.alloc(0);

/** Errors of the schema as E_SCHEMA with JSON pointers. */
function asKmcError(error: unknown): unknown {
  if (!(error instanceof z.ZodError)) return error;
  const pointers = error.issues.slice(0, 20).map((issue) => ({
    pointer: issue.path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    detail: issue.message,
  }));
  return new KmcError('E_SCHEMA', 'the request does not fit its schema: see errors', { cause: error, pointers });
}

/** What was asked, as a digest: method, target and body. */
function askedDigest({ request }: Exchange): string {
  const target = Buffer.from(`${request.method} ${pathOf(request)}${queryOf(request)}\0`, 'utf8');
  return `sm3:${sm3(target, bodyOf(request) ?? Buffer.alloc(0)).toString('hex')}`;
}

async function runOnce(
  ports: HttpPorts,
  route: Route,
  exchange: Exchange,
  caller: Caller,
  work: () => Promise<Reply>,
): Promise<Reply> {
  const key = headerOf(exchange.request, 'idempotency-key');
  if (key === undefined || route.idempotent !== true) return work();
  if (!IDEMPOTENCY_KEY.test(key)) throw new KmcError('E_SCHEMA', 'Idempotency-Key has 8 to 128 of A-Z a-z 0-9 _ -');
  const scope = {
    caller: caller.type === 'anonymous' ? `source:${caller.source}` : `${caller.type}:${caller.id}`,
    key,
    bodyDigest: askedDigest(exchange),
  };
  const stored = await ports.answerOnce(scope, async () => {
    const reply = await work();
    return { status: reply.status, body: Buffer.from(JSON.stringify(reply.json ?? null)) };
  });
  return { status: stored.status, bytes: { type: 'application/json', body: stored.body } };
}

/**
 * Tells the log of faults, and the audit log of refusals: an event for a caller who is known, a count for others. Neither
 * keeps the answer from being sent.
 */
export async function reportProblem(
  ports: HttpPorts,
  exchange: Exchange,
  caller: Caller,
  error: unknown,
): Promise<void> {
  const { requestId, operationId } = exchange;
  const { code, status } = problemOf(error, requestId);
  if (status >= 500 && !QUIET_CODES.has(code)) ports.logFault({ requestId, operationId, cause: error });
  const concealed = error instanceof KmcError && error.concealed;
  if (!REFUSAL_STATUSES.has(status) && !concealed) return;
  try {
    await ports.recordRefusal({ caller, code, operationId, requestId });
  } catch (cause) {
    ports.logFault({ requestId, operationId, cause });
  }
}

/** Offers a nonce with the refusal of a signed request that takes one: its signer was named, and may try again. */
async function offerNonce(ports: HttpPorts, route: Route, exchange: Exchange, error: unknown): Promise<void> {
  if (!takesOfferedNonce(route.access) || problemOf(error, exchange.requestId).status !== 401) return;
  const keyid = namedKeyId(headerOf(exchange.request, 'signature-input'));
  if (keyid === undefined) return;
  try {
    exchange.offered = await ports.offerNonce(keyid);
  } catch (cause) {
    ports.logFault({ requestId: exchange.requestId, operationId: exchange.operationId, cause });
  }
}

/** Applications use keys for many users of their own. */
function limiterOf({ limits }: HttpPorts, { type }: Caller): RateLimiter {
  return type === 'application' ? limits.application : limits.identity;
}

/** Tells every caller, in every answer, that the glass is broken. */
async function announceBreakGlass(ports: HttpPorts, { response }: Exchange): Promise<void> {
  const session = await ports.breakGlass();
  if (session !== undefined)
    response.setHeader('kmc-break-glass', `${session.session}; until=${timeText(session.until)}`);
}

/** Runs a route for one request and answers it, whatever happens. */
export async function dispatch(ports: HttpPorts, route: Route, exchange: Exchange): Promise<void> {
  const { request, requestId, source } = exchange;
  exchange.operationId = route.operationId;
  /** Whom a refusal is recorded against. */
  let caller: Caller = { type: 'anonymous', source };
  try {
    await announceBreakGlass(ports, exchange);
    if (route.whileSealed !== true && route.path.startsWith(API) && ports.isSealed()) {
      throw new KmcError('E_SEALED', 'the keystore is sealed: its custodians have to unseal it first');
    }
    await readBody(exchange, route);
    const { caller: identified, proof } = await identify(ports, exchange, route);
    const limited =
      identified.type === 'anonymous'
        ? undefined
        : await limiterOf(ports, identified).refusal(`${identified.type}:${identified.id}`);
    // Of the refusals by the limit only the first of a period is an event, or the limit would bound nothing.
    if (limited === undefined || limited.isFirst) caller = identified;
    if (limited !== undefined) throw tooManyRequests(limited.retryAfter);
    checkAccess(route, identified);
    checkConfidential(route, exchange);
    await ports.recordGlassAct(identified, route.operationId, pathOf(request), requestId);
    const context = {
      params: request.params,
      query: request.query,
      body: parsedBody(route, exchange),
      caller: identified,
      ...(proof === undefined ? {} : { proof }),
      requestId,
      source,
      raw: route.media === undefined ? NO_BODY : (bodyOf(request) ?? NO_BODY),
      channel: exchange.channel,
      header: (name: string) => headerOf(request, name),
    };
    sendReply(exchange, await runOnce(ports, route, exchange, identified, () => route.handle(context)));
  } catch (thrown) {
    const error = asKmcError(thrown);
    await reportProblem(ports, exchange, caller, error);
    await offerNonce(ports, route, exchange, error);
    if (route.refusal === undefined || exchange.response.headersSent) sendProblem(exchange, error);
    else sendReply(exchange, route.refusal(error));
  }
}

/** The refusal of a source or an identity that calls too often. */
export function tooManyRequests(retryAfter: number): KmcError {
  return new KmcError('E_RATE', 'too many requests: wait a little', { retryAfter });
}
