import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { z } from 'zod';
import { openApiDocument, templateOf } from '../../src/http/openapi.ts';
import { allRoutes } from '../../src/http/routes/index.ts';
import { hollowInstance } from './plain-service.ts';

const GOLDEN = new URL('../golden/openapi.json', import.meta.url);
const ROUTES = allRoutes(hollowInstance());
const document = JSON.parse(JSON.stringify(openApiDocument(ROUTES, '0.1.0'))) as unknown;

const SCHEMA = z.looseObject({});
const MEDIA = z.record(
  z.string().regex(/^[a-z]+\/[a-z0-9.+-]+(?:; smime-type=[a-z-]+)?$/),
  z.strictObject({ schema: SCHEMA }),
);
const ANSWER = z.union([
  z.strictObject({ description: z.string().min(1), content: MEDIA.optional() }),
  z.strictObject({ $ref: z.literal('#/components/responses/Problem') }),
]);
const PARAMETER = z.union([
  z.strictObject({ name: z.string(), in: z.enum(['path', 'query']), required: z.boolean(), schema: SCHEMA }),
  z.strictObject({ $ref: z.literal('#/components/parameters/IdempotencyKey') }),
]);
const OPERATION = z.strictObject({
  operationId: z.string(),
  tags: z.array(z.string()).length(1),
  summary: z.string().min(1),
  parameters: z.array(PARAMETER),
  requestBody: z.strictObject({ required: z.literal(true), content: MEDIA }).optional(),
  responses: z.record(z.string().regex(/^(?:[1-5]\d\d|default)$/), ANSWER),
  security: z.array(
    z.union([
      z.strictObject({ httpMessageSignature: z.array(z.never()) }),
      z.strictObject({ enrolmentToken: z.array(z.never()) }),
      z.strictObject({ consoleSession: z.array(z.never()) }),
    ]),
  ),
  'x-kmc-roles': z.union([z.string(), z.array(z.string())]).optional(),
  'x-kmc-https-only': z.literal(true).optional(),
  'x-kmc-confidential': z.literal(true).optional(),
  'x-kmc-break-glass': z.literal(true).optional(),
});
/** What of OpenAPI 3.1 the document uses, strictly. */
const DOCUMENT = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({ title: z.string(), version: z.string(), summary: z.string() }),
  paths: z.record(z.string().startsWith('/'), z.partialRecord(z.enum(['get', 'post']), OPERATION)),
  components: z.strictObject({
    schemas: z.record(z.string(), SCHEMA),
    parameters: z.record(z.string(), SCHEMA),
    responses: z.record(z.string(), ANSWER),
    securitySchemes: z.record(z.string(), SCHEMA),
  }),
});

describe('the OpenAPI document', () => {
  it('is valid by structure', () => {
    expect(DOCUMENT.safeParse(document).error?.issues ?? []).to.deep.equal([]);
  });

  it('holds every route with every parameter of its path, and nothing else', () => {
    const { paths } = DOCUMENT.parse(document);
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => `${method} ${path} ${operation.operationId}`),
    );
    const routes = ROUTES.map(({ method, path, operationId }) => `${method} ${templateOf(path)} ${operationId}`);
    expect(described.sort()).to.deep.equal(routes.sort());
    for (const [path, methods] of Object.entries(paths)) {
      for (const { parameters } of Object.values(methods)) {
        const named = parameters.flatMap((one) => ('in' in one && one.in === 'path' ? [one.name] : []));
        expect(named, path).to.have.members([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
      }
    }
  });

  it('has operation ids that no two routes share, and no two routes for one method and path', () => {
    const ids = ROUTES.map(({ operationId }) => operationId);
    expect(new Set(ids).size).to.equal(ids.length);
    const places = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(places).size).to.equal(places.length);
  });

  it('refers to nothing that is not in it', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1] ?? '');
    for (const reference of references) {
      let place: unknown = document;
      for (const step of reference.split('/')) place = (place as Record<string, unknown> | undefined)?.[step];
      expect(place, reference).to.be.an('object');
    }
  });

  it('is the one that was agreed on (test/golden/openapi.json; write it anew by deleting it)', () => {
    if (!existsSync(GOLDEN) && process.env['CI'] !== 'true')
      writeFileSync(GOLDEN, `${JSON.stringify(document, undefined, 2)}\n`);
    expect(document).to.deep.equal(JSON.parse(readFileSync(GOLDEN, 'utf8')));
  });
});
