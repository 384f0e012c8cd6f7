/** The body of a request: bounded, uncompressed, JSON in UTF-8 unless its route has a media type of its own. */
import express from 'express';
import { parseStrictJson } from '../crypto/jcs.ts';
import { KmcError } from '../errors.ts';
import { bodyOf, headerOf, type Exchange } from './exchange.ts';
import type { Route } from './route.ts';

/** Octets of a body at the most. */
export const MAX_BODY_BYTES = 1024 * 1024;
const JSON_TYPE = /^application\/json(?:; ?charset="?utf-8"?)?$/i;

const readRaw = express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false });

/** Faults of the reader are the client's: too large, or cut short. */
function bodyFault(error: unknown): KmcError {
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  if (status === 413) return new KmcError('E_SIZE', 'the body is larger than this service accepts', { cause: error });
  if (status === 415) return new KmcError('E_TYPE', 'the body has an encoding that is not accepted', { cause: error });
  return new KmcError('E_SCHEMA', 'the body cannot be read', { cause: error });
}

/**
 * Reads the body into the request.
 * @throws KmcError E_SIZE; E_TYPE for another media type than JSON or the route's own; E_SCHEMA when it is cut short.
 */
export async function readBody({ request, response }: Exchange, { media }: Pick<Route, 'media'>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    readRaw(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(bodyFault(error))));
  });
  const type = headerOf(request, 'content-type');
  const body = bodyOf(request);
  if (body === undefined) return;
  if (media !== undefined) {
    if (body.length > media.maxBytes) throw new KmcError('E_SIZE', 'the body is larger than this call accepts');
    if (type?.split(';', 1)[0]?.trim().toLowerCase() === media.type) return;
    throw new KmcError('E_TYPE', `send the body as ${media.type}`);
  }
  if (type === undefined || !JSON_TYPE.test(type)) throw new KmcError('E_TYPE', 'send the body as application/json');
}

/**
 * The JSON value of the body, for a route that takes one.
 * @throws KmcError E_SCHEMA when there is a body too many or too few; E_JSON.
 */
export function parsedBody(route: Route, { request }: Exchange): unknown {
  const body = bodyOf(request);
  if (route.media !== undefined) {
    if (body === undefined) throw new KmcError('E_SCHEMA', `this call needs a body of ${route.media.type}`);
    return undefined;
  }
  if (route.body === undefined) {
    if (body === undefined) return undefined;
    throw new KmcError('E_SCHEMA', 'this call takes no body');
  }
  if (body === undefined) throw new KmcError('E_SCHEMA', 'this call needs a JSON body');
  return parseStrictJson(body, { maxBytes: MAX_BODY_BYTES });
}
