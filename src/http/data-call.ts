/** The shape of every call of the data-encryption service: one item or a batch, and the answer in the same shape. */
import { z } from 'zod';
import type { ApplicationCaller, Caller } from '../domain/caller.ts';
import { CONTEXT_NAME, MOST_CONTEXT_MEMBERS } from '../domain/data-context.ts';
import type { KeyOperation } from '../domain/managed-key.ts';
import { KmcError } from '../errors.ts';
import { route, type Reply, type Route, type RouteDefinition } from './route.ts';
import { BASE64, ID } from './schemas.ts';
import { encodeSecretJson, type SecretJson } from './secret-json.ts';

const PATH = '/api/v1/crypto';
/** Items of one batch. */
const MOST_ITEMS = 100;
/** Octets of one item; larger bodies are encrypted by the application under a data key. */
const MOST_OCTETS = 64 * 1024;
/** What a ciphertext is longer than its content at the most. */
const OVERHEAD = 512;

/** Octets as canonical base64, decoded; may be empty. */
export function octets(most: number): z.ZodPipe<z.ZodString, z.ZodTransform<Buffer, string>> {
  return z
    .string()
    .max(Math.ceil(most / 3) * 4)
    .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'base64')
    .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'canonical base64')
    .refine((text) => Buffer.byteLength(text, 'base64') <= most, `at most ${most} octets`)
    .transform((text) => Buffer.from(text, 'base64'));
}

export const PLAINTEXT = octets(MOST_OCTETS);
export const CIPHERTEXT = octets(MOST_OCTETS + OVERHEAD);
export const CONTEXT = z
  .record(z.string().regex(CONTEXT_NAME), z.string().max(256))
  .refine((context) => Object.keys(context).length <= MOST_CONTEXT_MEMBERS, `at most ${MOST_CONTEXT_MEMBERS} members`)
  .describe('names and texts that a ciphertext is bound to; the same ones decrypt it')
  .optional();
export const VERSION = z
  .string()
  .regex(/^[1-9][0-9]{0,8}$/, 'the number of a version')
  .transform(Number)
  .optional();
export const SPKI = BASE64.describe('SubjectPublicKeyInfo, DER');
export const NUMBER_TEXT = z.string().describe('number of the version');
export const BASE64_TEXT = z.string().describe('base64');
const ITEM_CODE = z.object({ code: z.string() });

/** A call with one item, or with a list of them. */
export function calls<Item extends z.ZodRawShape, Common extends z.ZodRawShape>(item: Item, common: Common) {
  const items = z.array(z.strictObject(item)).min(1).max(MOST_ITEMS);
  const single = z.strictObject({ key: ID, ...common, ...item });
  return z.union([single, z.strictObject({ key: ID, ...common, items })]);
}

/** An answer to one item, or to a list of them in the same order. */
export function answers(item: z.ZodRawShape, common: z.ZodRawShape = {}): z.ZodType {
  const items = z.array(z.union([z.object(item), ITEM_CODE]));
  return z.union([z.object({ key: ID, ...common, ...item }), z.object({ key: ID, ...common, items })]);
}

/** The items of a call; a single one is a list of one. */
export function itemsOf<Item extends object>(body: Item | { readonly items: readonly Item[] }): readonly Item[] {
  return isBatch(body) ? body.items : [body];
}

function isBatch<Item extends object>(
  body: Item | { readonly items: readonly Item[] },
): body is { readonly items: readonly Item[] } {
  return 'items' in body;
}

/** The answer in the shape of the call; octets become base64. `secret`: they are in no string, and wiped once sent. */
export function reply(
  body: { readonly key: string } & object,
  common: { readonly [name: string]: SecretJson },
  results: readonly { readonly [name: string]: SecretJson }[],
): Reply {
  const answer = 'items' in body ? { items: results } : (results[0] ?? {});
  const json = encodeSecretJson({ key: body.key, ...common, ...answer });
  return { status: 200, bytes: { type: 'application/json', body: json, secret: true } };
}

export function applicationOf(caller: Caller): ApplicationCaller {
  if (caller.type === 'application') return caller;
  throw new KmcError('E_FORBIDDEN', 'this call is for registered applications');
}

type DataRoute<B extends z.ZodType> = Pick<RouteDefinition<z.ZodType, z.ZodType, B>, 'body' | 'summary' | 'handle'> & {
  readonly operation: KeyOperation;
  readonly operationId: string;
  readonly answer: z.ZodType;
};

/** A repeat is a new use: nothing is stored, so that no stored answer can hold what was decrypted. */
const REPEATS = 'Idempotency-Key is not looked at: every call is made anew and counts as a use of its own.';

export function dataRoute<B extends z.ZodType>({
  operation,
  operationId,
  summary,
  body,
  answer,
  handle,
}: DataRoute<B>): Route {
  return route({
    operationId,
    method: 'post',
    path: `${PATH}/${operation}`,
    tag: 'crypto',
    summary: `${summary}. ${REPEATS}`,
    access: { applications: true },
    confidential: true,
    ...(body === undefined ? {} : { body }),
    answers: { 200: { description: 'as many results as items, in their order', schema: answer } },
    handle: (context) => handle({ ...context, params: undefined, query: undefined }),
  });
}
