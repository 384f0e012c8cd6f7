/** A route is data: router, role check, schemas and the OpenAPI document come from the same list. */
import { z } from 'zod';
import type { Caller } from '../domain/caller.ts';
import type { RoleName } from '../domain/roles.ts';
import type { RequestProof } from '../flows/access/authenticate-request.ts';
import type { Channel } from './channel.ts';

/**
 * Who may call: anybody, a person holding one of the roles (`any` = every registered person), or a device. `enrolling` is
 * a device by its signature or by the certificate of its channel, or whoever holds a token: its handler looks at that.
 * What a device signs in order to change something has a nonce of the service (C.3).
 */
export type Access =
  | { readonly public: true }
  | { readonly persons: readonly RoleName[] | 'any' }
  | { readonly devices: true; readonly nonce?: 'service' }
  | { readonly enrolling: true }
  /** Registered applications. */
  | { readonly applications: true }
  /** Sealed accounts in their session alone; which other operations these may call is for the table of break-glass. */
  | { readonly sealedAccounts: true };

export interface RequestContext<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** Of a signed request. */
  readonly proof?: RequestProof;
  readonly requestId: string;
  /** Transport address of the peer. */
  readonly source: string;
  /** The body as received, of a route with a media type of its own; empty otherwise. */
  readonly raw: Buffer;
  readonly channel: Channel;
  /** Value of a request header, if present once. */
  header(name: string): string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** `secret`: the body is wiped once it is sent. */
  readonly bytes?: { readonly type: string; readonly body: Buffer; readonly secret?: boolean };
}

export interface AnswerSpec {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Media type; `application/json` when there is a schema. */
  readonly type?: string;
}

export interface Route {
  readonly operationId: string;
  readonly method: 'get' | 'post';
  /** Express form: `/api/v1/devices/:deviceId`; `*name` stands for the rest of a path. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: Access;
  /** A reading that the console may do with the session of a browser, in the place of a signed request. */
  readonly console?: true;
  /** HTTPS only. */
  readonly tlsOnly?: boolean;
  /** Question and answer hold data that is to be protected: over plain HTTP it serves callers on this machine alone. */
  readonly confidential?: boolean;
  /** Answers while the keystore is sealed; every other route under /api/v1 then refuses with E_SEALED. */
  readonly whileSealed?: boolean;
  /** Honours Idempotency-Key (every POST under /api/v1 that changes state, unless the route has a rule of its own). */
  readonly idempotent?: boolean;
  readonly params: z.ZodType;
  readonly query: z.ZodType;
  readonly body: z.ZodType | undefined;
  /** The body is of this media type and not JSON; `maxBytes` is its longest accepted form. */
  readonly media?: { readonly type: string; readonly maxBytes: number };
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  /** The answer to an error in the form of the route's own protocol; a problem document unless told. */
  refusal?(error: unknown): Reply;
  handle(context: RequestContext<unknown, unknown, unknown>): Promise<Reply>;
}

export interface RouteDefinition<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> extends Omit<
  Route,
  'params' | 'query' | 'body' | 'handle'
> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  handle(context: RequestContext<z.output<P>, z.output<Q>, z.output<B>>): Promise<Reply>;
}

const NOTHING = z.strictObject({});

/**
 * Makes a route from a typed definition. Schemas run inside `handle`, so a handler only ever sees parsed input.
 * @throws z.ZodError out of `handle` when the input does not fit; the server answers E_SCHEMA.
 */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  definition: RouteDefinition<P, Q, B>,
): Route {
  const { params, query, body } = definition;
  return {
    ...definition,
    params: params ?? NOTHING,
    query: query ?? NOTHING,
    body,
    async handle(context) {
      const parsed = {
        ...context,
        params: (params ?? NOTHING).parse(context.params) as z.output<P>,
        query: (query ?? NOTHING).parse(context.query) as z.output<Q>,
        body: (body === undefined ? undefined : body.parse(context.body)) as z.output<B>,
      };
      return definition.handle(parsed);
    },
  };
}
