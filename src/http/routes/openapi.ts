/** The description of this API. */
import { openApiDocument } from '../openapi.ts';
import { route, type Route } from '../route.ts';

/** The route of the document; it describes `others` and itself. `version` is that of the product. */
export function openApiRoute(others: readonly Route[], version: string): Route {
  const own: Route = route({
    operationId: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    tag: 'openapi',
    summary: 'This document',
    access: { public: true },
    answers: { 200: { description: 'OpenAPI 3.1', type: 'application/json' } },
    handle: () => Promise.resolve({ status: 200, json: document }),
  });
  const document = openApiDocument([...others, own], version);
  return own;
}
