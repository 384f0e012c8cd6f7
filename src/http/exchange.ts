/** One request and its answer, from the first look at it to the problem document. */
import type { Request, Response } from 'express';
import { wipe } from '../crypto/bytes.ts';
import { acceptSignature } from '../domain/http-signature.ts';
import type { Channel } from './channel.ts';
import { problemOf } from './problem.ts';
import { formOf } from './problem-form.ts';
import { pathOf } from './request-guard.ts';
import type { OfferedMoment } from './ports.ts';
import type { Reply } from './route.ts';

export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly requestId: string;
  /** Transport address of the peer. */
  readonly source: string;
  readonly channel: Channel;
  /** What the answer offers for the next try. */
  offered?: OfferedMoment;
  /** Operation of the route, once one is found: the label of its metrics. */
  operationId: string;
}

/** Answers of the API are of one moment and for one caller; what may be kept says so itself. */
const DEFAULT_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** Value of a header that stands once. */
export function headerOf(request: Request, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** The body as received, once it was read; undefined when there is none. */
export function bodyOf(request: Request): Buffer | undefined {
  const body: unknown = request.body;
  return Buffer.isBuffer(body) && body.length > 0 ? body : undefined;
}

/** Sends what a route answered. */
export function sendReply({ response }: Exchange, reply: Reply): void {
  response.status(reply.status);
  for (const [name, value] of Object.entries({ ...DEFAULT_HEADERS, ...reply.headers })) response.setHeader(name, value);
  if (reply.bytes !== undefined) {
    response.setHeader('content-type', reply.bytes.type);
    const { body, secret } = reply.bytes;
    response.end(body, () => secret === true && wipe(body));
  } else if (reply.json !== undefined) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(reply.json));
  } else {
    response.end();
  }
}

/** Sends the problem document of an error. */
export function sendProblem({ request, response, requestId, offered }: Exchange, error: unknown): void {
  const problem = problemOf(error, requestId);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = formOf(pathOf(request))(problem);
  response.status(status);
  for (const [name, value] of Object.entries({ ...DEFAULT_HEADERS, ...headers })) response.setHeader(name, value);
  if (status === 401) {
    response.setHeader('accept-signature', acceptSignature(bodyOf(request) !== undefined, offered?.nonce));
    if (offered !== undefined) response.setHeader('date', offered.at.toUTCString());
  }
  response.end(body);
}
