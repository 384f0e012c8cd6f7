/** One request through one route: who calls, may it, is it a repeat, then the route's own work. */
import type { Request, Response } from 'express';
import { z } from 'zod';
import { parseStrictJson } from '../crypto/jcs.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import type { Caller } from '../domain/caller.ts';
import { parseSignature, type SignedRequestParts } from '../domain/http-signature.ts';
import { KmcError, type ErrorCode } from '../errors.ts';
import { problemOf } from './problem.ts';
import type { HttpPorts } from './ports.ts';
import { pathOf, queryOf } from './request-guard.ts';
import type { Access, Reply, Route } from './route.ts';

const IDEMPOTENCY_KEY = /^[A-Za-z0-9_-]{8,128}$/;
/** Codes that say who is calling was not established: counted per source, not an event each. */
const ANONYMOUS_CODES: ReadonlySet<ErrorCode> = new Set(['E_UNAUTHENTICATED', 'E_TIME']);
/** Refusals worth an event when the caller is known. */
const AUDITED_CODES: ReadonlySet<ErrorCode> = new Set(['E_FORBIDDEN', 'E_SAME_PERSON', 'E_POLICY', 'E_APPROVAL']);

export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly requestId: string;
  readonly source: string;
}

function headerOf(request: Request, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function bodyOf(request: Request): Buffer | undefined {
  const body: unknown = request.body;
  return Buffer.isBuffer(body) && body.length > 0 ? body : undefined;
}

/** Host as signed: lower case, without the default port of HTTPS. */
function authorityOf(request: Request): string {
  const host = (headerOf(request, 'host') ?? '').toLowerCase();
  return host.endsWith(':443') ? host.slice(0, -4) : host;
}

async function authenticate(ports: HttpPorts, exchange: Exchange, access: Access): Promise<Caller> {
  if ('public' in access) return { type: 'anonymous', source: exchange.source };
  const { request } = exchange;
  const body = bodyOf(request);
  const received = parseSignature({
    signatureInput: headerOf(request, 'signature-input'),
    signature: headerOf(request, 'signature'),
    contentDigest: headerOf(request, 'content-digest'),
    hasContent: body !== undefined,
  });
  const parts: SignedRequestParts = {
    method: request.method,
    authority: authorityOf(request),
    path: pathOf(request),
    query: queryOf(request),
    ...(body === undefined ? {} : { content: { type: headerOf(request, 'content-type') ?? '', body } }),
  };
  return ports.authenticate(received, parts);
}

function checkAccess(access: Access, caller: Caller): void {
  if ('public' in access) return;
  if ('devices' in access) {
    if (caller.type !== 'device') throw new KmcError('E_FORBIDDEN', 'this call is for devices');
    return;
  }
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'this call is for registered persons');
  const { persons } = access;
  if (persons === 'any' || caller.roles.some(({ role }) => persons.includes(role))) return;
  throw new KmcError('E_FORBIDDEN', `this call needs one of the roles: ${persons.join(', ')}`);
}

function parsedBody(route: Route, request: Request): unknown {
  const body = bodyOf(request);
  if (route.body === undefined) {
    if (body !== undefined) throw new KmcError('E_SCHEMA', 'this call takes no body');
    return undefined;
  }
  if (body === undefined) throw new KmcError('E_SCHEMA', 'this call needs a JSON body');
  return parseStrictJson(body.toString('utf8'));
}

/** Errors of the schema as E_SCHEMA with JSON pointers. */
function asKmcError(error: unknown): unknown {
  if (!(error instanceof z.ZodError)) return error;
  const pointers = error.issues.slice(0, 20).map((issue) => ({
    pointer: issue.path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    detail: issue.message,
  }));
  return new KmcError('E_SCHEMA', 'the request does not fit its schema: see errors', { cause: error, pointers });
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
    key: `${route.operationId}:${key}`,
    bodyDigest: `sm3:${sm3(Buffer.concat([Buffer.from(`${pathOf(exchange.request)}\0`), bodyOf(exchange.request) ?? Buffer.alloc(0)])).toString('hex')}`,
  };
  const stored = await ports.answerOnce(scope, async () => {
    const reply = await work();
    return { status: reply.status, body: Buffer.from(JSON.stringify(reply.json ?? null)) };
  });
  return { status: stored.status, bytes: { type: 'application/json', body: stored.body } };
}

function send(response: Response, reply: Reply): void {
  response.status(reply.status);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.bytes !== undefined) {
    response.setHeader('content-type', reply.bytes.type);
    response.end(reply.bytes.body);
  } else if (reply.json !== undefined) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(reply.json));
  } else {
    response.end();
  }
}

/** Sends the problem document of an error. */
export function sendProblem(exchange: Exchange, error: unknown): void {
  const { retryAfter, ...problem } = problemOf(error, exchange.requestId);
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.status(problem.status);
  if (retryAfter !== undefined) response.setHeader('retry-after', String(Math.max(1, Math.ceil(retryAfter))));
  response.setHeader('content-type', 'application/problem+json');
  response.end(JSON.stringify(problem));
}

async function recordRefusal(ports: HttpPorts, route: Route, exchange: Exchange, caller: Caller, error: unknown) {
  if (!(error instanceof KmcError)) return;
  const known = caller.type !== 'anonymous';
  if (known ? !AUDITED_CODES.has(error.code) : !ANONYMOUS_CODES.has(error.code)) return;
  await ports.recordRefusal({
    caller,
    code: error.code,
    operationId: route.operationId,
    requestId: exchange.requestId,
  });
}

/** Runs a route for one request and answers it, whatever happens. */
export async function dispatch(ports: HttpPorts, route: Route, exchange: Exchange): Promise<void> {
  let caller: Caller = { type: 'anonymous', source: exchange.source };
  try {
    caller = await authenticate(ports, exchange, route.access);
    checkAccess(route.access, caller);
    const context = {
      params: exchange.request.params,
      query: exchange.request.query,
      body: parsedBody(route, exchange.request),
      caller,
      requestId: exchange.requestId,
      source: exchange.source,
      header: (name: string) => headerOf(exchange.request, name),
    };
    send(exchange.response, await runOnce(ports, route, exchange, caller, () => route.handle(context)));
  } catch (thrown) {
    const error = asKmcError(thrown);
    if (problemOf(error, '').status >= 500) {
      ports.logFault({ requestId: exchange.requestId, operationId: route.operationId, cause: error });
    }
    try {
      await recordRefusal(ports, route, exchange, caller, error);
    } catch (cause) {
      ports.logFault({ requestId: exchange.requestId, operationId: route.operationId, cause });
    }
    sendProblem(exchange, error);
  }
}
