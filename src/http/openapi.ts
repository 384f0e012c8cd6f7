/** The OpenAPI 3.1 document, made from the list of routes. */
import { z } from 'zod';
import { isBreakGlassOperation } from '../domain/break-glass.ts';
import { HTTP_STATUS } from './problem.ts';
import type { AnswerSpec, Route } from './route.ts';

type Json = Record<string, unknown>;

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...json }: Json = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}

/** What of the JSON Schema of an object its parameters are made of. */
const OBJECT_SCHEMA = z.looseObject({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
});

function parametersOf(place: 'path' | 'query', schema: z.ZodType): Json[] {
  const { properties, required: names } = OBJECT_SCHEMA.parse(schemaOf(schema, 'input'));
  const required = new Set(names);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.has(name),
    schema: property,
  }));
}

function answerOf(answer: AnswerSpec): Json {
  if (answer.schema === undefined && answer.type === undefined) return { description: answer.description };
  const schema = answer.schema === undefined ? { type: 'string', format: 'binary' } : schemaOf(answer.schema, 'output');
  return { description: answer.description, content: { [answer.type ?? 'application/json']: { schema } } };
}

function rolesOf(access: Route['access']): readonly string[] | string {
  if ('persons' in access) return access.persons;
  if ('devices' in access) return 'device';
  return 'applications' in access ? 'application' : 'sealed-account';
}

function securityOf(route: Route): Json {
  if ('public' in route.access) return { security: [] };
  if ('enrolling' in route.access) return { security: [{ httpMessageSignature: [] }, { enrolmentToken: [] }] };
  const session = route.console === true ? [{ consoleSession: [] }] : [];
  return { security: [{ httpMessageSignature: [] }, ...session], 'x-kmc-roles': rolesOf(route.access) };
}

function requestBodyOf({ body, media }: Route): Json {
  const content =
    media !== undefined
      ? { [media.type]: { schema: { type: 'string', format: 'binary' } } }
      : body === undefined
        ? undefined
        : { 'application/json': { schema: schemaOf(body, 'input') } };
  return content === undefined ? {} : { requestBody: { required: true, content } };
}

function operationOf(route: Route): Json {
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, answerOf(answer)] as const);
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    parameters: [
      ...parametersOf('path', route.params),
      ...parametersOf('query', route.query),
      ...(route.idempotent === true ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
    ],
    ...requestBodyOf(route),
    responses: { ...Object.fromEntries(answers), default: { $ref: '#/components/responses/Problem' } },
    ...securityOf(route),
    ...(route.tlsOnly === true ? { 'x-kmc-https-only': true } : {}),
    ...(route.confidential === true ? { 'x-kmc-confidential': true } : {}),
    ...(isBreakGlassOperation(route.operationId) ? { 'x-kmc-break-glass': true } : {}),
  };
}

const PROBLEM_SCHEMA: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(HTTP_STATUS) },
    detail: { type: 'string' },
    requestId: { type: 'string' },
    rule: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { pointer: { type: 'string' }, detail: { type: 'string' } } },
    },
  },
};

/** The path as OpenAPI writes it: `:name` and `*name` are `{name}`. */
export function templateOf(path: string): string {
  return path.replaceAll(/[:*]([A-Za-z]+)/g, '{$1}');
}

/** Builds the document for a list of routes. `version` is that of the product. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = templateOf(route.path);
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'KMC', version, summary: 'Key management centre of the government extranet' },
    paths,
    components: {
      schemas: { Problem: PROBLEM_SCHEMA },
      parameters: {
        IdempotencyKey: {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{8,128}$' },
        },
      },
      responses: {
        Problem: {
          description: 'A refusal (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        consoleSession: {
          type: 'apiKey',
          in: 'cookie',
          name: 'kmc-console',
          description: 'Session of a browser that a person approved with a signed request; for reading only',
        },
        enrolmentToken: {
          type: 'http',
          scheme: 'basic',
          description: 'One-time token over HTTPS: Basic (user = serial number of the device) or Bearer',
        },
        httpMessageSignature: {
          type: 'apiKey',
          in: 'header',
          name: 'Signature',
          description:
            'RFC 9421, profile kmc-gw-v1: SM2 (SM3), RSA-PSS or ECDSA by the key of a registered certificate',
        },
      },
    },
  };
}
