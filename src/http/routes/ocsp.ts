/** OCSP over HTTP (RFC 6960 appendix A): octets in and out, by POST or in the path of a GET. */
import { z } from 'zod';
import { createDigests } from '../../crypto/digests.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import { answerOcsp, type AnswerOcspPorts } from '../../flows/ocsp/answer-ocsp.ts';
import { OpenResponders } from '../../flows/ocsp/ocsp-responder.ts';
import type { Instance } from '../../flows/instance.ts';
import { ocspError, type OcspErrorName } from '../../x509/ocsp/response.ts';
import { MAX_OCSP_REQUEST_OCTETS } from '../../x509/ocsp/request.ts';
import { publishedReply } from '../published.ts';
import { RateLimiter } from '../rate-limit.ts';
import { route, type Reply, type RequestContext, type Route } from '../route.ts';

const TYPE = 'application/ocsp-response';
const ANSWERS = { 200: { description: 'OCSPResponse, also for what is refused', type: TYPE } } as const;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Seconds that a mirror may keep an answer without asking again, at the most. */
const LONGEST_CACHE = 3600;
/** Answers that are signed while somebody waits, of this process. */
const SIGNED_NOW = { requests: 2_000, seconds: 10 };

function reply(response: Buffer): Reply {
  return { status: 200, bytes: { type: TYPE, body: response } };
}

/** What is wrong with the request is malformed to this protocol; what is wrong here may be over soon. */
const REFUSALS: Readonly<Partial<Record<ErrorCode, OcspErrorName>>> = {
  E_AUDIT: 'tryLater',
  E_DER: 'malformedRequest',
  E_RATE: 'tryLater',
  E_SCHEMA: 'malformedRequest',
  E_SEALED: 'tryLater',
  E_SIZE: 'malformedRequest',
  E_STORAGE: 'tryLater',
  E_TYPE: 'malformedRequest',
};

function refusal(error: unknown): Reply {
  const name = error instanceof KmcError ? REFUSALS[error.code] : undefined;
  return reply(ocspError(name ?? 'internalError'));
}

async function answered(
  ports: AnswerOcspPorts,
  context: Pick<RequestContext<unknown, unknown, unknown>, 'header'>,
  request: Buffer,
): Promise<Reply> {
  const { response, kept } = await answerOcsp(ports, request);
  if (kept === undefined) return reply(response);
  const left = (kept.nextUpdate.getTime() - ports.clock.now().getTime()) / 1000;
  return publishedReply(context, {
    type: TYPE,
    body: response,
    digest: createDigests(response).sm3,
    maxAge: Math.min(LONGEST_CACHE, left),
    lastModified: kept.thisUpdate,
    expires: kept.nextUpdate,
  });
}

/** Routes of OCSP. */
export function ocspRoutes(instance: Instance): Route[] {
  const limiter = new RateLimiter(SIGNED_NOW);
  const ports: AnswerOcspPorts = {
    database: instance.database,
    clock: instance.clock,
    policies: instance.policies,
    responders: new OpenResponders(instance),
    maySignNow: async () => (await limiter.refusal('ocsp')) === undefined,
  };
  return [
    route({
      operationId: 'postOcsp',
      method: 'post',
      path: '/ocsp',
      tag: 'authorities',
      summary: 'The status of certificates (RFC 6960)',
      access: { public: true },
      media: { type: 'application/ocsp-request', maxBytes: MAX_OCSP_REQUEST_OCTETS },
      answers: ANSWERS,
      refusal,
      handle: async (context) => reply((await answerOcsp(ports, context.raw)).response),
    }),
    route({
      operationId: 'getOcsp',
      method: 'get',
      path: '/ocsp/*request',
      tag: 'authorities',
      summary: 'The status of certificates (RFC 6960): the OCSPRequest in base64, as the rest of the path',
      access: { public: true },
      params: z.strictObject({ request: z.array(z.string()) }),
      answers: ANSWERS,
      refusal,
      async handle(context) {
        // The router takes a slash of base64 for one of the path.
        const text = context.params.request.join('/');
        return await answered(ports, context, BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0));
      },
    }),
  ];
}
